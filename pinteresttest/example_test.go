package pinteresttest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/go-pinterest/pinterest"
	"github.com/go-pinterest/pinterest/pinteresttest"
)

// The zero Handler knows one app.
func config(e oauth2.Endpoint) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     pinteresttest.DefaultAppID,
		ClientSecret: pinteresttest.DefaultAppSecret,
		Endpoint:     e,
		RedirectURL:  "https://app.example/callback",
		Scopes:       []string{pinterest.ScopeBoardsRead},
	}
}

func ExampleNewServer() {
	s := pinteresttest.NewServer(&pinteresttest.Handler{AutoApprove: true})
	defer s.Close()
	cfg := config(s.Endpoint())

	// A browser would follow the redirect to the app; here it is the answer.
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(cfg.AuthCodeURL("state"))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	callback, _ := resp.Location()

	token, err := cfg.Exchange(context.Background(), callback.Query().Get("code"))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err = cfg.Client(context.Background(), token).Get(s.URL + "/v5/boards?page_size=2")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(callback.Host, token.Extra("scope"), resp.Status)
	// Output: app.example boards:read 200 OK
}

func ExampleHandler_Client() {
	h := new(pinteresttest.Handler)
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, h.Client())
	client := config(pinterest.Endpoint).Client(ctx, h.Login(pinterest.ScopeUserAccountsRead))

	get := func() {
		resp, err := client.Get("https://api.pinterest.com/v5/user_account")
		if err != nil {
			fmt.Println(err)
			return
		}
		defer resp.Body.Close()
		fmt.Println(resp.Status)
	}
	get()
	h.ExpireAccess() // oauth2 goes by the clock, and does not notice
	get()
	fmt.Println(h.Counts().Unauthorized, "unauthorized")
	// Output:
	// 200 OK
	// 401 Unauthorized
	// 1 unauthorized
}

func ExampleHandler_Fail() {
	h := &pinteresttest.Handler{StrictRotation: true}
	token := h.Login()
	h.Fail("/v5/oauth/token",
		pinteresttest.Fault{Status: 429, RetryAfter: "7"},
		pinteresttest.Fault{After: true, Lose: true}, // the rotation happens, but nobody hears of it
	)
	for range 3 {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}}
		u := &url.URL{Scheme: "https", Host: "api.pinterest.com", Path: "/v5/oauth/token"}
		u.User = url.UserPassword(pinteresttest.DefaultAppID, pinteresttest.DefaultAppSecret)
		resp, err := h.Client().PostForm(u.String(), form)
		if err != nil {
			fmt.Println("no answer")
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.StatusCode, resp.Header.Get("Retry-After"), string(body))
	}
	fmt.Println(h.Counts().Replays, "replay")
	// Output:
	// 429 7 {"code":8,"message":"You have exceeded your rate limit. Try again later.","status":"failure"}
	// no answer
	// 401  {"code":283,"message":"The authorization grant is invalid","status":"failure"}
	// 1 replay
}
