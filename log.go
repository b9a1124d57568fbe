package pinterest

import (
	"cmp"
	"errors"
	"log/slog"

	"github.com/go-pinterest/pinterest/internal/renew"
)

// Log implements [renew.Origin]. Its messages, levels and attributes are
// documented in doc.go.
func (o *origin) Log(e renew.Event) {
	if o.conf.Logger == nil {
		return
	}
	t := cmp.Or(e.Token, e.Old)
	switch {
	case e.Result == renew.Renewed:
		o.log(t, slog.LevelInfo, "pinterest: token renewed", append(expiries(e.Token), slog.Duration("took", e.Took))...)
		if e.Err != nil {
			o.logTrouble(e, slog.LevelError, "pinterest: token not saved")
		}
	case e.Result == renew.Adopted && e.Old == nil:
		o.log(t, slog.LevelDebug, "pinterest: token adopted", expiries(e.Token)...)
	case e.Result == renew.Adopted:
		o.log(t, slog.LevelInfo, "pinterest: token adopted", expiries(e.Token)...)
	case e.Result == renew.Saved:
		o.log(t, slog.LevelInfo, "pinterest: token saved", expiries(e.Old)...)
	case e.Result == renew.Unsaved && e.Nth&(e.Nth-1) == 0: // the 1st, 2nd, 4th, 8th in a row
		o.logTrouble(e, slog.LevelError, "pinterest: token not saved")
	case e.Result == renew.Gone && e.Old != nil:
		o.log(t, slog.LevelInfo, "pinterest: token forgotten")
	case e.Reason == renew.Look: // nobody needed it
	case e.Mend == renew.ByOperator:
		o.logTrouble(e, slog.LevelError, "pinterest: token not renewed")
	case e.Result == renew.Failed || e.Result == renew.Gone:
		o.logTrouble(e, slog.LevelWarn, "pinterest: token not renewed")
	}
}

// logTrouble logs what is wrong, who can mend it, and when it is tried again.
func (o *origin) logTrouble(e renew.Event, level slog.Level, message string) {
	mend, answered := renew.ByTime, false
	var err *Error
	if e.Result == renew.Failed || e.Result == renew.Gone { // or else what a callback says
		mend, answered = mendOf(e.Err), errors.As(e.Err, &err) && err.StatusCode != 0
	}
	attrs := []slog.Attr{slog.Any("error", e.Err), slog.String("mend", mend.String())}
	if answered {
		attrs = append(attrs, slog.Int("status", err.StatusCode), slog.Int("code", err.Code), slog.String("request_id", err.RequestID))
	}
	inUse := cmp.Or(e.Old, e.Token) // the latter of a source that has just begun
	if e.Result == renew.Failed && inUse != nil {
		attrs = append(attrs, expiries(inUse)...)
	}
	o.log(cmp.Or(e.Token, e.Old), level, message, append(attrs, slog.Duration("took", e.Took), slog.Duration("retry_in", e.Hold))...)
}

// logNotTold logs that OnRefresh failed for a token that the store has.
func (o *origin) logNotTold(t *renew.Token, err error) {
	if o.conf.Logger != nil {
		o.log(t, slog.LevelWarn, "pinterest: OnRefresh failed", slog.Any("error", err))
	}
}

// logMended logs that a login in this process, which saved t, or a logout, where t
// is nil, has ended a trouble.
func (o *origin) logMended(t *renew.Token) {
	switch {
	case o.conf.Logger == nil:
	case t == nil:
		o.log(nil, slog.LevelInfo, "pinterest: token forgotten")
	default:
		o.log(t, slog.LevelInfo, "pinterest: token adopted", expiries(t)...)
	}
}

// log logs what happened to t.
func (o *origin) log(t *renew.Token, level slog.Level, message string, attrs ...slog.Attr) {
	first := []slog.Attr{slog.String("op", o.opOf(t))}
	if o.kept != nil {
		first = append(first, slog.String("key", o.kept.key))
	}
	o.conf.Logger.LogAttrs(o.ctx, level, message, append(first, attrs...)...)
}

// expiries are the attributes that say when t's tokens expire, as far as that is
// known.
func expiries(t *renew.Token) (attrs []slog.Attr) {
	token := t.OAuth2()
	if !token.Expiry.IsZero() {
		attrs = append(attrs, slog.Time("expiry", token.Expiry))
	}
	if at, ok := RefreshExpiry(token); ok {
		attrs = append(attrs, slog.Time("refresh_expiry", at))
	}
	return attrs
}
