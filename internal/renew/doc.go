// Package renew keeps an OAuth 2.0 token good for all who ask for it. It knows
// when a token has to be renewed, sees to it that one renewal runs at a time,
// and holds renewals back after failures. What a renewal is, and where its
// token is kept, is its [Origin]'s to know.
//
// # A token
//
// is fresh, then stale, then expired, by the wall clock. Fresh, it is handed out
// without a lock. Stale, it is handed out, too, and a renewal runs in the
// background. Expired, it is waited for.
//
// # A source
//
// is well, or has one [trouble]:
//
//	         why                       what is sent now       tried again
//	failing  the last renewal failed   nothing                after a second, later each time, up to a minute
//	refused  a person has to mend it   nothing                the operator's after a minute, up to an hour;
//	                                                          the user's after an hour, up to a day
//	unsaved  the new token is not      nothing; it is saved   after 1/16 second, later each time, up to a second
//	         saved yet
//
// Trouble ends with the first renewal that succeeds, and when another token is
// found or set. None of it keeps a good token from being handed out.
//
// A source is also at rest for some minutes after a renewal that a 401 asked
// for: renewing need not help, and another 401 then causes none. Tokens are
// renewed meanwhile when they are due.
//
// # A renewal
//
// is for one [Reason], runs in a goroutine of its own, and takes the first of
// these steps that settles the matter:
//
//	Save   what the last renewal could not: nothing else is done then
//	Find   what others have kept, if the source has nothing, or to look for a change;
//	       after what is kept could not be read, two seconds pass before the next step
//	Next   lock, read again, adopt or renew, save
//	Find   once more, and Next once more, if only the user could mend what Next met
//
// Those who wait for it share its [Outcome]. Whoever wanted something else, a
// new token where it only looked, begins another.
package renew
