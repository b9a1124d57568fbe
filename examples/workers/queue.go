package main

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// A queue of jobs is a table. A job is taken for as long as a lease, and no
// transaction is open meanwhile: a process that dies holds nothing.
type queue struct {
	db    *sql.DB
	lease time.Duration
}

type job struct {
	id      int64
	account string
	try     int
}

func (q *queue) createTable(ctx context.Context) error {
	// Two processes that create a table at once would collide.
	_, err := q.db.ExecContext(ctx, `
		DO $$ BEGIN
			PERFORM pg_advisory_xact_lock(hashtext('pinterest example jobs'));
			CREATE TABLE IF NOT EXISTS jobs (
				id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
				account text NOT NULL,
				try     int NOT NULL DEFAULT 0,
				due     timestamptz NOT NULL DEFAULT now(),
				result  text
			);
		END $$`)
	return err
}

func (q *queue) add(ctx context.Context, account string) error {
	_, err := q.db.ExecContext(ctx, `INSERT INTO jobs (account) VALUES ($1)`, account)
	return err
}

// take takes the job that is due next; nil, if there is none.
func (q *queue) take(ctx context.Context) (*job, error) {
	var j job
	err := q.db.QueryRowContext(ctx, `
		UPDATE jobs SET try = try + 1, due = now() + $1 * interval '1 second'
		WHERE id = (SELECT id FROM jobs WHERE result IS NULL AND due <= now() ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING id, account, try`, q.lease.Seconds()).Scan(&j.id, &j.account, &j.try)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &j, err
}

// finish keeps what came of a job, unless it is another's by now.
func (q *queue) finish(ctx context.Context, j *job, result string) error {
	_, err := q.db.ExecContext(ctx, `UPDATE jobs SET result = $3 WHERE id = $1 AND try = $2`, j.id, j.try, result)
	return err
}

// later has a job tried again, later each time.
func (q *queue) later(ctx context.Context, j *job) error {
	_, err := q.db.ExecContext(ctx, `UPDATE jobs SET due = now() + try * interval '1 second' WHERE id = $1 AND try = $2`, j.id, j.try)
	return err
}

// left is how many jobs have no result yet.
func (q *queue) left(ctx context.Context) (n int, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT count(*) FROM jobs WHERE result IS NULL`).Scan(&n)
	return n, err
}
