package signin

import (
	"io"
	"slices"
	"strings"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinterest/internal/say"
)

// KnownScopes are those of Pinterest's description.
var KnownScopes = []string{
	pinterest.ScopeAdsRead, pinterest.ScopeAdsWrite,
	pinterest.ScopeBillingRead, pinterest.ScopeBillingWrite,
	pinterest.ScopeBizAccessRead, pinterest.ScopeBizAccessWrite,
	pinterest.ScopeBoardsRead, pinterest.ScopeBoardsReadSecret, pinterest.ScopeBoardsWrite, pinterest.ScopeBoardsWriteSecret,
	pinterest.ScopeCatalogsRead, pinterest.ScopeCatalogsWrite,
	pinterest.ScopeMSOTWrite,
	pinterest.ScopePinsRead, pinterest.ScopePinsReadSecret, pinterest.ScopePinsWrite, pinterest.ScopePinsWriteSecret,
	pinterest.ScopeUserAccountsRead, pinterest.ScopeUserAccountsWrite,
}

// checkScopes refuses what can be no scopes, and doubts those that are not
// known: at an unknown scope Pinterest's page shows an error, and nobody comes
// back from it.
func checkScopes(w io.Writer, scopes []string) error {
	if len(scopes) == 0 {
		return say.WrongUsage("--scopes is empty", "name one at least, like "+pinterest.ScopeUserAccountsRead)
	}
	for _, s := range scopes {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return say.WrongUsage("--scopes holds something that is no scope", "separate scopes by commas alone, as in boards:read,pins:read")
		}
		if !slices.Contains(KnownScopes, s) {
			say.Line(w, "Pinterest may not know the scope %q; the known ones are %s", s, strings.Join(KnownScopes, ", "))
		}
	}
	return nil
}
