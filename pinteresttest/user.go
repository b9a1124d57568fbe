package pinteresttest

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
)

// appOwner is the account that the app's own tokens act for.
const appOwner = "pinner"

func defaultUsers() []string { return []string{"pinner1", "pinner2", "pinner3"} }

// users are those that one may log in as, first of them the one who approves by itself. The lock is held.
func (h *Handler) users() []string {
	users := h.Users
	if len(users) == 0 {
		users = defaultUsers()
	}
	if h.User != "" {
		users = append([]string{h.User}, slices.DeleteFunc(slices.Clone(users), func(u string) bool { return u == h.User })...)
	}
	return users
}

// userOrAnother returns the name, or if it is empty that of a user who never was before. The lock is held.
func (h *Handler) userOrAnother(name string) string {
	if name != "" {
		return name
	}
	h.others++
	return appOwner + strconv.Itoa(len(defaultUsers())+int(h.others))
}

// userOf is the user whom a token acts for; empty: the user has disconnected the app. The lock is held.
func (h *Handler) userOf(c claim) string {
	if c.kind == clientToken {
		return appOwner
	}
	if g := h.grants[c.grant]; g != nil {
		return g.user
	}
	return ""
}

// accountID follows from the name alone, so that a user is the same to every Handler.
func accountID(user string) string { return idOf(user, 0) }

// idOf returns the id of the user's nth thing, which like Pinterest's fits into 64 bits.
func idOf(user string, n int) string {
	sum := fnv.New64a()
	sum.Write([]byte(user))
	return fmt.Sprintf("%d%04d", 1e13+sum.Sum64()%9e13, n)
}
