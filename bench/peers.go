package main

import (
	"context"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/httptransport"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/auth/bearer"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
)

// A login is what a source of tokens begins with: where it gets them, and the
// refresh token it presents there. A source without an access token that is good
// asks for one first.
type login struct {
	at      *endpoint
	refresh string
	token   string        // an access token that is good, of a contender that takes one; the others ask at once
	ahead   time.Duration // how long before expiry a token is to be renewed; zero: as the contender has it
}

// An account is one source of tokens of one contender.
type account struct {
	ask    func() error      // for a token that is good; nil: the contender hands out none
	client http.RoundTripper // sends with the token; nil: the contender sends nothing
	keep   any               // all that an idle source holds
}

// use sends a request, or asks for the token if that is all there is.
func (a account) use(r *http.Request) error {
	if a.client == nil {
		return a.ask()
	}
	_, err := a.client.RoundTrip(r)
	return err
}

// A peer is a contender.
type peer struct {
	name  string
	login func(l login, base answerer) account
}

// Peers are set up as their documentation says, each with its cache and no other,
// and given all that makes them fast.
var (
	ours = peer{"pinterest", loginOurs}
	bare = peer{"floor", loginFloor}

	xoauth2 = peer{"x/oauth2", loginXOAuth2}
	awsCred = peer{"aws-sdk-go-v2", loginAWS}
	smithy  = peer{"smithy-go", loginSmithy}
	google  = peer{"cloud.google.com/go/auth", loginGoogle}
	azure   = peer{"azcore", loginAzure}

	peers = []peer{ours, xoauth2, awsCred, smithy, google, azure}
)

// names says what of each peer is measured.
const names = "`x/oauth2` is ReuseTokenSource and Transport; `aws-sdk-go-v2` is CredentialsCache, which signs no bearer requests; " +
	"`smithy-go` is bearer.TokenCache and SignHTTPSMessage; `cloud.google.com/go/auth` is NewCachedTokenProvider and httptransport without telemetry; " +
	"`azcore` is BearerTokenPolicy in the least pipeline there is, without retries, telemetry and logging."

func (l login) oauth2Token() *oauth2.Token {
	t := &oauth2.Token{AccessToken: l.token, RefreshToken: l.refresh}
	if l.token != "" {
		t.Expiry = time.Now().Add(month)
	}
	return t
}

func loginOurs(l login, base answerer) account {
	conf := l.at.conf
	if l.ahead > 0 {
		own := *conf
		own.RefreshAhead = l.ahead
		conf = &own
	}
	src := conf.TokenSource(l.at.ctx, l.oauth2Token())
	return account{
		ask:    func() error { _, err := src.Token(); return err },
		client: &pinterest.Transport{Source: src, Base: base},
		keep:   src,
	}
}

// loginFloor has the least that a transport which adds a header can do: it copies
// the request and its header, and sets a constant. Of what hands out an
// oauth2.Token that is the caller's own, the least is to look at the clock and copy.
func loginFloor(_ login, base answerer) account {
	src := new(copier)
	src.token.Store(&oauth2.Token{AccessToken: "pina_0123456789", Expiry: time.Now().Add(month)})
	return account{
		ask:    func() error { _, err := src.Token(); return err },
		client: floor{base: base},
	}
}

type copier struct{ token atomic.Pointer[oauth2.Token] }

// Token is not inlined: the copy would not leave the stack, as it does where an
// oauth2.TokenSource is called.
//
//go:noinline
func (c *copier) Token() (*oauth2.Token, error) {
	t := *c.token.Load()
	if time.Now().After(t.Expiry) {
		return nil, errFailing
	}
	return &t, nil
}

// loginClock is the floor of those whose tokens expire: it looks at the clock.
func loginClock(_ login, base answerer) account {
	return account{client: floor{base, time.Now().Add(month)}}
}

type floor struct {
	base   http.RoundTripper
	expiry time.Time // zero: never
}

func (f floor) RoundTrip(req *http.Request) (*http.Response, error) {
	if !f.expiry.IsZero() && time.Now().After(f.expiry) {
		return nil, errFailing
	}
	r := *req
	r.Header = maps.Clone(req.Header)
	r.Header.Set("Authorization", "Bearer pina_0123456789")
	return f.base.RoundTrip(&r)
}

func loginXOAuth2(l login, base answerer) account {
	src := l.at.theirs.TokenSource(l.at.ctx, l.oauth2Token()) // has a cache
	if l.ahead > 0 {
		src = oauth2.ReuseTokenSourceWithExpiry(nil, refresher{l}, l.ahead)
	}
	return account{
		ask:    func() error { _, err := src.Token(); return err },
		client: &oauth2.Transport{Source: src, Base: base},
		keep:   src,
	}
}

// A refresher is a source that asks at every call. Config.TokenSource has a cache
// of its own, which renews ten seconds before expiry and not when it is told to.
type refresher struct{ login }

func (r refresher) Token() (*oauth2.Token, error) {
	return r.at.theirs.TokenSource(r.at.ctx, r.oauth2Token()).Token()
}

func loginAWS(l login, _ answerer) account {
	cache := aws.NewCredentialsCache(awsProvider{&l}, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = l.ahead })
	ctx := context.Background()
	return account{
		ask:  func() error { _, err := cache.Retrieve(ctx); return err },
		keep: cache,
	}
}

type awsProvider struct{ *login }

func (p awsProvider) Retrieve(context.Context) (aws.Credentials, error) {
	access, expiry, err := p.at.fetch()
	return aws.Credentials{AccessKeyID: p.refresh, SecretAccessKey: access, CanExpire: true, Expires: expiry}, err
}

func loginSmithy(l login, base answerer) account {
	cache := bearer.NewTokenCache(smithyProvider{&l}, func(o *bearer.TokenCacheOptions) { o.RefreshBeforeExpires = l.ahead })
	ctx := context.Background()
	return account{
		ask:    func() error { _, err := cache.RetrieveBearerToken(ctx); return err },
		client: smithyClient{cache, base},
		keep:   cache,
	}
}

type smithyProvider struct{ *login }

func (p smithyProvider) RetrieveBearerToken(context.Context) (bearer.Token, error) {
	access, expiry, err := p.at.fetch()
	return bearer.Token{Value: access, CanExpire: true, Expires: expiry}, err
}

// A smithyClient does what the middleware of a generated client does with a
// request, and nothing else of the stack. The signer makes the copy.
type smithyClient struct {
	cache *bearer.TokenCache
	base  http.RoundTripper
}

func (c smithyClient) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := c.cache.RetrieveBearerToken(r.Context())
	if err != nil {
		return nil, err
	}
	signed, err := bearer.SignHTTPSMessage{}.SignWithBearerToken(r.Context(), token, &smithyhttp.Request{Request: r})
	if err != nil {
		return nil, err
	}
	return c.base.RoundTrip(signed.(*smithyhttp.Request).Request)
}

func loginGoogle(l login, base answerer) account {
	cache := auth.NewCachedTokenProvider(googleProvider{&l}, &auth.CachedTokenProviderOptions{ExpireEarly: l.ahead})
	client, err := httptransport.NewClient(&httptransport.Options{
		DisableTelemetry: true,
		BaseRoundTripper: base,
		Credentials:      auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: cache}), // is not wrapped in another cache
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	return account{
		ask:    func() error { _, err := cache.Token(ctx); return err },
		client: client.Transport,
		keep:   cache,
	}
}

type googleProvider struct{ *login }

func (p googleProvider) Token(context.Context) (*auth.Token, error) {
	access, expiry, err := p.at.fetch()
	if err != nil {
		return nil, err
	}
	return &auth.Token{Value: access, Type: "Bearer", Expiry: expiry}, nil
}

// loginAzure has no ask: BearerTokenPolicy hands out no token but to a request.
func loginAzure(l login, base answerer) account {
	tokens := runtime.NewBearerTokenPolicy(azureCredential{&l}, []string{"scope"}, nil)
	pipeline := runtime.NewPipeline("bench", "v0.0.0", runtime.PipelineOptions{PerRetry: []policy.Policy{tokens}}, &policy.ClientOptions{
		Transport: base,
		Retry:     policy.RetryOptions{MaxRetries: -1},
		Telemetry: policy.TelemetryOptions{Disabled: true},
	})
	return account{client: azureClient{pipeline}, keep: tokens}
}

type azureCredential struct{ *login }

func (c azureCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	access, expiry, err := c.at.fetch()
	t := azcore.AccessToken{Token: access, ExpiresOn: expiry}
	if c.ahead > 0 {
		t.RefreshOn = expiry.Add(-c.ahead)
	}
	return t, err
}

// An azureClient copies the request as the floor does, since the policy writes
// into the one it is given.
type azureClient struct{ pipeline runtime.Pipeline }

func (c azureClient) RoundTrip(req *http.Request) (*http.Response, error) {
	r := *req
	r.Header = maps.Clone(req.Header)
	p, err := runtime.NewRequestFromRequest(&r)
	if err != nil {
		return nil, err
	}
	return c.pipeline.Do(p)
}
