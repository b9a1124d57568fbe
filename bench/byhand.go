package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/redis/go-redis/v9"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
	"github.com/go-pinterest/pinterest/redisstore"
	"github.com/go-pinterest/pinterest/sqlstore"
)

// This file renews tokens as an app without a library would, who has read what it
// takes: a claim that others see before the request is sent, and the new token
// written before it is used. It checks nothing and tries nothing again.

// renewByHand makes what is kept after old.
func renewByHand(ctx context.Context, client *http.Client, old []byte) ([]byte, error) {
	var t oauth2.Token
	if err := json.Unmarshal(old, &t); err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {t.RefreshToken}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, pinterest.Endpoint.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(pinteresttest.DefaultAppID, pinteresttest.DefaultAppSecret)
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the fake answered %s: %s", resp.Status, answer)
	}
	return answer, err
}

// A hand renews what is kept under a key by the bare statements or commands of an
// engine.
type hand struct {
	plant func(ctx context.Context, key string, value []byte) error // keeps the first token; nil: the store's own will do
	renew func(ctx context.Context, key string) error
}

func (p *place) byHand(s pinterest.Store, client *http.Client) hand {
	switch s := s.(type) {
	case *sqlstore.Store:
		return hand{nil, sqlByHand(s, client)}
	case *redisstore.Store:
		return redisByHand(s.Client, p.table, client)
	}
	if p.name == "files" {
		return fileByHand(p.dir, client)
	}
	kept := make(map[string][]byte) // what is in memory is renewed by one goroutine
	return hand{
		func(_ context.Context, key string, value []byte) error { kept[key] = value; return nil },
		func(ctx context.Context, key string) (err error) {
			kept[key], err = renewByHand(ctx, client, kept[key])
			return err
		},
	}
}

func sqlByHand(s *sqlstore.Store, client *http.Client) func(ctx context.Context, key string) error {
	load := `UPDATE ` + s.Table + ` SET "until" = $1 WHERE "key" = $2 RETURNING "value"`
	update := `UPDATE ` + s.Table + ` SET "value" = $1, "until" = 0, "due" = $2 WHERE "key" = $3`
	claim := ""
	if s.Dialect == sqlstore.MySQL {
		claim = "UPDATE " + s.Table + " SET `until` = ? WHERE `key` = ?"
		load = "SELECT `value` FROM " + s.Table + " WHERE `until` = ? AND `key` = ?"
		update = "UPDATE " + s.Table + " SET `value` = ?, `until` = 0, `due` = ? WHERE `key` = ?"
	}
	return func(ctx context.Context, key string) error {
		until := time.Now().Add(time.Minute).UnixMilli()
		if claim != "" {
			if _, err := s.DB.ExecContext(ctx, claim, until, []byte(key)); err != nil {
				return err
			}
		}
		var old []byte
		if err := s.DB.QueryRowContext(ctx, load, until, []byte(key)).Scan(&old); err != nil {
			return err
		}
		value, err := renewByHand(ctx, client, old)
		if err != nil {
			return err
		}
		_, err = s.DB.ExecContext(ctx, update, value, time.Now().Add(2*month).UnixMilli(), []byte(key))
		return err
	}
}

// redisByHand takes as few round trips as the commands fit in: one to take the
// lease and read, one to write and let the lease go.
func redisByHand(c redis.UniversalClient, prefix string, client *http.Client) hand {
	lease, record, due := prefix+":bare:lease:", prefix+":bare:record:", prefix+":bare:due"
	plant := func(ctx context.Context, key string, value []byte) error {
		return c.HSet(ctx, record+key, "value", value).Err()
	}
	return hand{plant, func(ctx context.Context, key string) error {
		var old *redis.StringCmd
		_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.SetNX(ctx, lease+key, "id", time.Minute)
			old = p.HGet(ctx, record+key, "value")
			return nil
		})
		if err != nil {
			return err
		}
		was, _ := old.Bytes()
		value, err := renewByHand(ctx, client, was)
		if err != nil {
			return err
		}
		_, err = c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.HSet(ctx, record+key, "value", value, "by", "id")
			p.ZAdd(ctx, due, redis.Z{Member: key, Score: float64(time.Now().Add(2 * month).UnixMilli())})
			p.Del(ctx, lease+key)
			return nil
		})
		return err
	}}
}

// fileByHand locks, writes a new file, syncs it, renames it, and syncs the
// directory.
func fileByHand(dir string, client *http.Client) hand {
	replace := func(_ context.Context, key string, value []byte) error {
		f, err := os.OpenFile(filepath.Join(dir, key+".new"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(value)
		if err := errors.Join(err, f.Sync(), f.Close(), os.Rename(f.Name(), filepath.Join(dir, key))); err != nil {
			return err
		}
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		return errors.Join(d.Sync(), d.Close())
	}
	return hand{replace, func(ctx context.Context, key string) error {
		lock := flock.New(filepath.Join(dir, key+".lock"))
		if err := lock.Lock(); err != nil {
			return err
		}
		defer lock.Unlock()
		old, err := os.ReadFile(filepath.Join(dir, key))
		if err != nil {
			return err
		}
		value, err := renewByHand(ctx, client, old)
		if err != nil {
			return err
		}
		return replace(ctx, key, value)
	}}
}
