package pinteresttest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWhatHasExpiredIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := new(Handler)
		for range 400 {
			for range 10 {
				h.Login("boards:read")
				h.Code("https://app.example/")
			}
			time.Sleep(day)
		}
		assert.LessOrEqual(t, len(h.grants), 2*60*10+sweepAtLeast)
		assert.LessOrEqual(t, len(h.codes), 2*60*10+sweepAtLeast)
	})
}

func TestTheLatestGrantsComeFirst(t *testing.T) {
	h := new(Handler)
	for _, user := range []string{"ann", "ben", "ann", "carol", "dan", "ann"} {
		h.LoginAs(user)
	}
	h.RevokeGrants("ann")
	users := func(grants []Grant) (list []string) {
		for _, g := range grants {
			list = append(list, g.User)
		}
		return list
	}
	assert.Equal(t, []string{"dan", "carol", "ben"}, users(h.Grants()))
	assert.Equal(t, []string{"dan", "carol"}, users(h.latestGrants(2)))
	h.RevokeGrants()
	assert.Empty(t, h.Grants())
}

func TestRefreshingKeepsNothingMore(t *testing.T) {
	h := new(Handler)
	token := h.Login().RefreshToken
	for range 1000 {
		c, _ := h.open(token)
		answer := h.issueAccess(accessToken, c.grant, c.scopes)
		h.issueRefresh(&answer, c.grant, c.scopes, true)
		token = answer.RefreshToken
	}
	assert.Len(t, h.grants, 1)
	assert.Empty(t, h.codes)
	assert.Empty(t, h.revoked)
}
