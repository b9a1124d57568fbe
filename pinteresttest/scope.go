package pinteresttest

import (
	"fmt"
	"strings"

	"github.com/go-pinterest/pinterest"
)

// scopes are the nineteen that Pinterest knows, and how the authorize page puts them into words.
var scopes = [...]struct{ name, words string }{
	{pinterest.ScopeAdsRead, "See all of your advertising data, including ads, ad groups and campaigns"},
	{pinterest.ScopeAdsWrite, "Create, update or delete ads, ad groups and campaigns"},
	{pinterest.ScopeBillingRead, "See all of your billing data and billing profiles"},
	{pinterest.ScopeBillingWrite, "Create, update or delete billing data and billing profiles"},
	{pinterest.ScopeBizAccessRead, "See business access data"},
	{pinterest.ScopeBizAccessWrite, "Create, update or delete business access data"},
	{pinterest.ScopeBoardsRead, "See your public boards, including group boards you join"},
	{pinterest.ScopeBoardsReadSecret, "See your secret boards"},
	{pinterest.ScopeBoardsWrite, "Create, update or delete your public boards"},
	{pinterest.ScopeBoardsWriteSecret, "Create, update or delete your secret boards"},
	{pinterest.ScopeCatalogsRead, "See all of your catalogs data"},
	{pinterest.ScopeCatalogsWrite, "Create, update or delete your catalogs data"},
	{pinterest.ScopeMSOTWrite, "Create measurement source of truth events"},
	{pinterest.ScopePinsRead, "See your public Pins"},
	{pinterest.ScopePinsReadSecret, "See your secret Pins"},
	{pinterest.ScopePinsWrite, "Create, update or delete your public Pins"},
	{pinterest.ScopePinsWriteSecret, "Create, update or delete your secret Pins"},
	{pinterest.ScopeUserAccountsRead, "See your user accounts and followers"},
	{pinterest.ScopeUserAccountsWrite, "Update your user accounts and followers"},
}

// A scopeSet holds bit i if it holds scopes[i].
type scopeSet uint32

const everyScope scopeSet = 1<<len(scopes) - 1

// parseScopes reads a scope parameter: names separated by commas or single spaces.
func parseScopes(list string) (scopeSet, error) {
	return scopesOf(strings.Split(strings.ReplaceAll(list, ",", " "), " "))
}

func scopesOf(names []string) (scopeSet, error) {
	var set scopeSet
next:
	for _, name := range names {
		for i, s := range scopes {
			if s.name == name {
				set |= 1 << i
				continue next
			}
		}
		return 0, fmt.Errorf("%q is not a scope", name)
	}
	return set, nil
}

// mustScopes is for scopes named in a test's own code. No names mean every scope.
func mustScopes(names []string) scopeSet {
	if len(names) == 0 {
		return everyScope
	}
	set, err := scopesOf(names)
	if err != nil {
		panic("pinteresttest: " + err.Error())
	}
	return set
}

func (s scopeSet) has(all scopeSet) bool { return s&all == all }

func (s scopeSet) String() string {
	return strings.Join(s.list(func(i int) string { return scopes[i].name }), " ")
}

func (s scopeSet) words() []string { return s.list(func(i int) string { return scopes[i].words }) }

func (s scopeSet) list(of func(i int) string) []string {
	var list []string
	for i := range scopes {
		if s&(1<<i) != 0 {
			list = append(list, of(i))
		}
	}
	return list
}
