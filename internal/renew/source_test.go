package renew

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sourceOf returns a source that begins with t, whose Origin answers by script.
func sourceOf(shared bool, t *Token, script func(c *call) Outcome) (*Source, *fake) {
	f := &fake{script: script}
	s := &Source{Origin: f, Shared: shared}
	if t != nil {
		s.Set(t)
	}
	return s, f
}

func always(o Outcome) func(*call) Outcome { return func(*call) Outcome { return o } }

func get(s *Source) (*Token, error) { return s.Get(context.Background(), time.Now()) }

// holds asks until Next has met its trouble n times in a row, and returns how
// long each held the next try back. No try comes sooner, and none is late.
func holds(t *testing.T, o Outcome, n int) (all []time.Duration) {
	s, f := sourceOf(false, tokenOf("old", -1, -1), always(o))
	for i := range n {
		_, err := get(s)
		require.ErrorIs(t, err, o.Err)
		require.Equal(t, i+1, f.count("Next"))
		hold, trouble := s.Trouble()
		require.ErrorIs(t, trouble, o.Err)
		require.Equal(t, hold, f.newest().Hold)
		require.Equal(t, i+1, f.newest().Nth)
		all = append(all, hold)
		time.Sleep(hold - 1)
		_, err = get(s)
		require.ErrorIs(t, err, o.Err)
		require.Equal(t, i+1, f.count("Next"), "asked again too soon")
		time.Sleep(time.Nanosecond)
		hold, _ = s.Trouble()
		require.Zero(t, hold)
	}
	return all
}

func TestTheUsersVerdictIsAskedForAgainAfterAnHourLaterOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const h = time.Hour
		assert.Equal(t, []time.Duration{h, 2 * h, 4 * h, 8 * h, 16 * h, 24 * h, 24 * h},
			holds(t, Outcome{Result: Failed, Err: errUser, Mend: ByUser}, 7))
	})
}

func TestTheOperatorsVerdictIsAskedForAgainAfterAMinuteLaterOnceAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const m = time.Minute
		assert.Equal(t, []time.Duration{m, 2 * m, 4 * m, 8 * m, 16 * m, 32 * m, 60 * m, 60 * m},
			holds(t, Outcome{Result: Failed, Err: errOperator, Mend: ByOperator}, 8))
	})
}

func TestAFailureHoldsBackForASecondLaterForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i, hold := range holds(t, Outcome{Result: Failed, Err: errTime}, 40) {
			about := min(time.Second<<min(i, 20), time.Minute)
			assert.InDelta(t, about, hold, float64(about)/4)
		}
	})
}

func TestNothingIsSentSoonerThanRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		assert.Equal(t, []time.Duration{time.Hour, time.Hour}, holds(t, Outcome{Result: Failed, Err: errTime, After: time.Hour}, 2))
		assert.Equal(t, []time.Duration{time.Hour}, holds(t, Outcome{Result: Failed, Err: errUser, Mend: ByUser, After: time.Second}, 1))
	})
}

// The model knows all states, but no token that is saved after so many tries.
func TestSavingIsTriedAgainUntilItWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saves := 0
		s, f := sourceOf(false, tokenOf("old", -1, -1), func(c *call) Outcome {
			if c.step == "Next" {
				return Outcome{Result: Renewed, Token: tokenOf("new", time.Hour, 2*time.Hour), Err: errSave}
			}
			if saves++; saves < 40 {
				return Outcome{Result: Unsaved, Err: errSave}
			}
			return Outcome{Result: Saved}
		})
		began := time.Now()
		_, err := get(s)
		require.NoError(t, err)
		require.NoError(t, s.Wait(t.Context()))
		assert.Equal(t, 40, f.count("Save"))
		assert.Equal(t, 1, f.count("Next"))
		assert.Less(t, time.Since(began), 46*time.Second, "most of the tries are about a second apart")
		assert.Greater(t, time.Since(began), 26*time.Second)
		for i, e := range f.events[:40] {
			about := min(time.Second/16<<min(i, 20), time.Second)
			assert.InDelta(t, about, e.Hold, float64(about)/4)
			assert.Equal(t, i+1, e.Nth)
		}
		last := f.newest()
		assert.Zero(t, last.Hold)
		assert.Zero(t, last.Nth)
		_, trouble := s.Trouble()
		assert.NoError(t, trouble)
	})
}

func TestARenewalThatSucceedsEndsTheTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := Outcome{Result: Failed, Err: errTime}
		s, f := sourceOf(false, tokenOf("old", -1, -1), func(*call) Outcome { return out })
		for range 5 {
			_, err := get(s)
			require.ErrorIs(t, err, errTime)
			time.Sleep(time.Minute)
		}
		out = Outcome{Result: Renewed, Token: tokenOf("new", time.Minute, 2*time.Minute)}
		_, err := get(s)
		require.NoError(t, err)
		hold, trouble := s.Trouble()
		assert.NoError(t, trouble)
		assert.Zero(t, hold)
		out = Outcome{Result: Failed, Err: errTime}
		time.Sleep(2 * time.Minute)
		_, err = get(s)
		require.ErrorIs(t, err, errTime)
		assert.Equal(t, 1, f.newest().Nth, "the count begins again")
	})
}

func TestAnEndpointThatGoesOnAnswering401CostsARenewalInSomeMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s, f := sourceOf(false, tokenOf("old", time.Hour, 2*time.Hour), func(*call) Outcome {
			n++
			return Outcome{Result: Renewed, Token: tokenOf(fmt.Sprint(n), 24*time.Hour, 48*time.Hour)}
		})
		rejected := func() error {
			_, _, err := s.Replace(t.Context(), s.Token(), Rejected)
			return err
		}
		var renewed []time.Time
		for range 30 * 60 {
			if err := rejected(); err == nil {
				renewed = append(renewed, time.Now())
			} else {
				require.ErrorIs(t, err, errRest)
			}
			time.Sleep(time.Second)
		}
		for i, at := range renewed[1:] {
			about := min(time.Minute<<i, 5*time.Minute)
			assert.InDelta(t, about, at.Sub(renewed[i]), float64(about/4+time.Second))
		}
		_, trouble := s.Trouble()
		assert.NoError(t, trouble, "being at rest is none")

		s.Accepted()
		require.NoError(t, rejected())
		require.ErrorIs(t, rejected(), errRest)
		time.Sleep(75 * time.Second)
		before := f.count("Next")
		require.NoError(t, rejected(), "the count has begun again")
		assert.Equal(t, before+1, f.count("Next"))
	})
}

func TestAChangeIsLookedForOnceAMinuteAndOnlyWhileSomebodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := tokenOf("kept", 48*time.Hour, 50*time.Hour)
		s, f := sourceOf(true, tok, always(Outcome{}))
		for range 590 {
			got, err := get(s)
			require.NoError(t, err)
			require.Same(t, tok, got)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		assert.Equal(t, 9, f.count("Find"))
		time.Sleep(24 * time.Hour)
		assert.Equal(t, 9, f.count("Find"))

		alone, f := sourceOf(false, tok, always(Outcome{}))
		time.Sleep(time.Hour)
		_, err := get(alone)
		require.NoError(t, err)
		synctest.Wait()
		assert.Empty(t, f.calls, "nobody else can replace it")
	})
}

// Callers read the clock before they ask.
func TestOneLookIsEnoughForWhoeverReadTheClockBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := sourceOf(true, tokenOf("kept", time.Hour, 2*time.Hour), always(Outcome{}))
		time.Sleep(lookEvery)
		slow := time.Now()
		time.Sleep(time.Millisecond)
		_, err := get(s)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, f.count("Find"))
		_, err = s.Get(t.Context(), slow)
		require.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, 1, f.count("Find"))
	})
}

func TestWhoeverHasWaitedForATokenDoesNotLookForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := sourceOf(true, nil, func(*call) Outcome {
			time.Sleep(time.Second)
			return Outcome{Result: Adopted, Token: tokenOf("kept", time.Hour, 2*time.Hour)}
		})
		_, err := get(s)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		assert.Equal(t, 1, f.count("Find"))
	})
}

func TestALookThatComesLateDoesNotKeepATokenFromBeingSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tok := tokenOf("kept", time.Hour, 2*time.Hour)
		found := Outcome{Result: Unsaved, Err: errSave}
		s, f := sourceOf(true, tok, func(c *call) Outcome {
			time.Sleep(time.Second) // longer than until the save is due
			if c.step == "Save" {
				return Outcome{Result: Saved}
			}
			return found
		})
		time.Sleep(lookEvery)
		_, err := get(s)
		require.NoError(t, err)
		time.Sleep(time.Second)
		synctest.Wait()
		require.True(t, s.Busy(), "the store has lost it")
		found = Outcome{}
		s.looked.Add(-int64(time.Hour)) // the wall clock was set forward
		s.begin(tok, Look, true)        // by a caller who found all well, and was slow
		time.Sleep(time.Minute)
		assert.Equal(t, 1, f.count("Save"))
		assert.False(t, s.Busy())
	})
}

func TestAWallClockThatIsSetBackDelaysNoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := sourceOf(true, tokenOf("kept", time.Hour, 2*time.Hour), always(Outcome{}))
		s.looked.Add(int64(time.Hour))
		_, err := get(s)
		require.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, 1, f.count("Find"))
		_, err = get(s)
		require.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, 1, f.count("Find"), "now it is known when")
	})
}

// A store can hold what nobody can renew, an old login say, while the token
// that this process has goes on to be good.
func TestWhatCouldNotBeRenewedIsNotTriedAgainAtEveryLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := tokenOf("other", -1, -1)
		s, f := sourceOf(true, tokenOf("own", 20*time.Hour, 22*time.Hour), func(c *call) Outcome {
			if c.step == "Find" {
				if c.known.Token.Same(other) {
					return Outcome{}
				}
				return Outcome{Result: Adopted, Token: other}
			}
			return Outcome{Result: Failed, Err: errUser, Mend: ByUser, Token: other}
		})
		for range 179 {
			time.Sleep(time.Minute)
			_, err := get(s)
			require.NoError(t, err)
			synctest.Wait()
		}
		assert.Equal(t, 2, f.count("Next"), "at once, and after an hour")
		assert.Greater(t, f.count("Find"), 170)
	})
}

func TestAGoodTokenThatIsFoundIsUsedEvenIfItCannotBeRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := tokenOf("kept", time.Hour, 2*time.Hour)
		s, _ := sourceOf(true, nil, func(c *call) Outcome {
			if c.step == "Find" {
				return Outcome{Result: Adopted, Token: kept}
			}
			return Outcome{Result: Failed, Err: errStore, Unreachable: true} // it can be read, and not written
		})
		_, _, err := s.Replace(t.Context(), nil, Asked)
		require.ErrorIs(t, err, errStore)
		got, err := get(s)
		require.NoError(t, err)
		assert.Same(t, kept, got)
	})
}

func TestWhoeverCannotReadWhatIsKeptLetsOthersSaveFirst(t *testing.T) {
	assert.Greater(t, othersFirst, saveMost*5/4)
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		s, f := sourceOf(true, tokenOf("old", -1, -1), func(c *call) Outcome {
			if at = append(at, time.Now()); c.step == "Next" {
				return Outcome{Result: Failed, Err: errStore, Unreachable: true}
			}
			return Outcome{}
		})
		_, err := get(s)
		require.ErrorIs(t, err, errStore)
		hold, _ := s.Trouble()
		time.Sleep(hold)
		_, err = get(s)
		require.ErrorIs(t, err, errStore)
		require.Equal(t, []string{"Next", "Find", "Next"}, []string{f.calls[0].step, f.calls[1].step, f.calls[2].step})
		assert.Equal(t, othersFirst, at[2].Sub(at[1]))
	})
}

func TestTheLogTellsHowLongARenewalTookBeforeAnyoneIsHandedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := tokenOf("old", -1, -1), tokenOf("new", time.Hour, 2*time.Hour)
		s, f := sourceOf(false, old, func(*call) Outcome {
			time.Sleep(3 * time.Second)
			return Outcome{Result: Renewed, Token: next}
		})
		_, err := get(s)
		require.NoError(t, err)
		assert.Equal(t, []Event{{Reason: Due, Outcome: Outcome{Result: Renewed, Token: next}, Old: old, Took: 3 * time.Second}}, f.events)
	})
}

func TestWhoeverLeavesIsToldWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := sourceOf(false, tokenOf("old", -1, -1), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 2 { // while it waits, and before
			_, err := s.Get(ctx, time.Now())
			assert.EqualError(t, err, "stopped waiting for the token's renewal: context deadline exceeded")
			assert.ErrorAs(t, err, new(callerError))
		}
		err := s.Wait(ctx)
		assert.EqualError(t, err, "stopped waiting for the token's renewal: context deadline exceeded")
		assert.ErrorAs(t, err, new(callerError))
		assert.Equal(t, 1, f.count("Next"))
		f.last().reply <- Outcome{Result: Renewed, Token: tokenOf("new", time.Hour, 2*time.Hour)}
		synctest.Wait()
		got, err := s.Get(ctx, time.Now())
		require.NoError(t, err, "the renewal went on, and a good token costs no waiting")
		assert.Equal(t, "new", nameOf(got))
		assert.NoError(t, s.Wait(ctx))
	})
}

func TestNoRenewalBeginsForAContextThatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := sourceOf(false, tokenOf("old", -1, -1), always(Outcome{Result: Failed, Err: errTime}))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, renewed, err := s.Replace(ctx, s.Token(), Due)
		assert.ErrorIs(t, err, context.Canceled)
		assert.False(t, renewed)
		synctest.Wait()
		assert.Empty(t, f.calls)
	})
}

func TestARenewalThatExitsIsAPassingFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := sourceOf(false, tokenOf("old", -1, -1), func(*call) Outcome {
			runtime.Goexit()
			return Outcome{}
		})
		_, err := get(s)
		assert.EqualError(t, err, "the renewal was abandoned: its goroutine exited")
		assert.ErrorAs(t, err, new(callerError))
		f.script = always(Outcome{Result: Renewed, Token: tokenOf("new", time.Hour, 2*time.Hour)})
		time.Sleep(2 * time.Second)
		got, err := get(s)
		require.NoError(t, err)
		assert.Equal(t, "new", nameOf(got))
	})
}

// A timer's goroutine can be slow to run.
func TestWhoeverAsksWhenASaveIsDueHasItSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := sourceOf(false, tokenOf("old", -1, -1), func(c *call) Outcome {
			if c.step == "Save" {
				return Outcome{Result: Saved}
			}
			return Outcome{Result: Renewed, Token: tokenOf("new", 0, time.Hour), Err: errSave}
		})
		_, err := get(s)
		require.NoError(t, err)
		s.trouble.Load().timer.Stop()
		time.Sleep(time.Second)
		_, err = get(s)
		require.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, []int{1, 1}, []int{f.count("Next"), f.count("Save")})
		assert.False(t, s.Busy())
	})
}

func TestWhatIsNotSavedIsToldToWhoeverWaitsOrAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := sourceOf(false, tokenOf("old", -1, -1), func(c *call) Outcome {
			if c.step == "Save" {
				return Outcome{Result: Unsaved, Err: errSave}
			}
			return Outcome{Result: Renewed, Token: tokenOf("new", time.Second, 2*time.Second), Err: errSave}
		})
		got, err := get(s)
		require.NoError(t, err)
		assert.Equal(t, "new", nameOf(got))
		const why = "no renewal is sent before the last one's token is saved: not saved"
		_, _, err = s.Replace(t.Context(), s.Token(), Asked)
		assert.EqualError(t, err, why)
		assert.ErrorAs(t, err, new(callerError))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err = s.Wait(ctx)
		assert.EqualError(t, err, "context deadline exceeded: "+why)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = get(s)
		assert.EqualError(t, err, why, "it has expired meanwhile")
		assert.Equal(t, 1, f.count("Next"))
		s.Set(nil) // or it would be tried for ever
	})
}

func TestWaitReturnsOnceAndForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := sourceOf(false, tokenOf("old", -1, -1), nil)
		go get(s)
		synctest.Wait()
		var done time.Time
		go func() {
			assert.NoError(t, s.Wait(context.Background()))
			done = time.Now()
		}()
		time.Sleep(time.Second)
		f.last().reply <- Outcome{Result: Renewed, Token: tokenOf("new", time.Hour, 2*time.Hour), Err: errSave}
		time.Sleep(time.Second)
		require.Zero(t, done)
		f.last().reply <- Outcome{Result: Saved}
		synctest.Wait()
		assert.Equal(t, time.Now(), done)
	})
}

func TestTheDeathOfAFormerTokenIsNoNews(t *testing.T) {
	s, _ := sourceOf(false, tokenOf("new", time.Hour, 2*time.Hour), nil)
	s.Expire(tokenOf("old", time.Hour, 2*time.Hour))
	assert.True(t, s.Token().Good())
	s.Expire(s.Token())
	assert.False(t, s.Token().Good())
	assert.Equal(t, "new", nameOf(s.Token()))
}

func TestAGoodTokenCostsNoMemory(t *testing.T) {
	s, _ := sourceOf(true, tokenOf("kept", time.Hour, 2*time.Hour), nil)
	ctx, now := t.Context(), time.Now()
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = s.Get(ctx, now) }))
}

// Outside a bubble, for the race detector.
func TestHoweverManyMeetAnExpiredTokenOneRenewalRuns(t *testing.T) {
	n := 0
	s, f := sourceOf(true, tokenOf("old", -1, -1), func(*call) Outcome {
		n++
		return Outcome{Result: Renewed, Token: tokenOf(fmt.Sprint(n), time.Hour, 2*time.Hour)}
	})
	for round := range 20 {
		old := s.Token()
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if i%2 == 0 {
					_, _, err := s.Replace(context.Background(), old, []Reason{Due, Rejected}[i/2%2])
					assert.True(t, err == nil || errors.Is(err, errRest))
					return
				}
				got, err := get(s)
				assert.NoError(t, err)
				assert.True(t, got.Good())
			})
		}
		all.Wait()
		require.NoError(t, s.Wait(context.Background()))
		assert.Equal(t, round+1, f.count("Next"))
		s.Accepted()
	}
	assert.Empty(t, f.wrong)
}

func TestTheBackoffDoublesWithAQuarterOfJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for n := 1; n < 100; n++ {
			about := min(time.Second<<min(n-1, 20), time.Minute)
			var all []time.Duration
			for range 200 {
				time.Sleep(time.Nanosecond) // the clock is its chance
				all = append(all, Backoff(n, time.Second, time.Minute))
			}
			least, most := slices.Min(all), slices.Max(all)
			assert.GreaterOrEqual(t, least, about*3/4)
			assert.LessOrEqual(t, most, about*5/4)
			assert.Less(t, least, about*4/5)
			assert.Greater(t, most, about*6/5)
		}
		assert.LessOrEqual(t, Backoff(1<<30, time.Hour, 24*time.Hour), 30*time.Hour)
		assert.NotPanics(t, func() { Backoff(1, 1, 1) })
	})
}
