// Package pinterestapi is a client of Pinterest's API, made by oapi-codegen of
// Pinterest's description of it.
package pinterestapi

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config config.yaml pinterest.yaml

import (
	"encoding/json"
	"fmt"
	"time"
)

// A Time is one of Pinterest's, such as 2024-05-17T09:30:00. They have no time zone,
// which time.Time insists on; it is UTC. Should Pinterest add one some day, as its
// description says, that is read too.
type Time struct{ time.Time }

// UnmarshalJSON implements [json.Unmarshaler].
func (t *Time) UnmarshalJSON(data []byte) error {
	var text *string // null leaves t as it is
	if err := json.Unmarshal(data, &text); err != nil || text == nil {
		return err
	}
	for _, layout := range []string{"2006-01-02T15:04:05", time.RFC3339} {
		if at, err := time.Parse(layout, *text); err == nil {
			t.Time = at
			return nil
		}
	}
	return fmt.Errorf("%q is no time of Pinterest's", *text)
}
