package pinteresttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"
)

// MarshalJSON returns the settings of h, which are its exported fields, by the names in their tags; a duration is
// written like "1h30m". The app's secret is left out.
func (h *Handler) MarshalJSON() ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	settings := fields(reflect.ValueOf(h).Elem())
	delete(settings, "app_secret")
	return json.Marshal(settings)
}

// UnmarshalJSON changes those settings of h that data names. If it cannot, it changes none.
func (h *Handler) UnmarshalJSON(data []byte) error {
	var next Handler
	h.mu.Lock()
	defer h.mu.Unlock()
	copySettings(&next, h)
	if err := setFields(reflect.ValueOf(&next).Elem(), data); err != nil {
		return err
	}
	if err := next.check(); err != nil {
		return err
	}
	copySettings(h, &next)
	return nil
}

// check says what no app could work with.
func (h *Handler) check() error {
	for name, life := range map[string]time.Duration{"access_life": h.AccessLife, "refresh_life": h.RefreshLife, "code_life": h.CodeLife, "latency": h.Latency} {
		if life < 0 {
			return fmt.Errorf("%s is %v, and cannot be less than nothing", name, life)
		}
	}
	if h.ResponseType != "" && !slices.Contains([]string{"refresh_token", "everlasting_refresh", "integration_refresh"}, h.ResponseType) {
		return fmt.Errorf("response_type is %q, and not refresh_token, everlasting_refresh or integration_refresh", h.ResponseType)
	}
	return nil
}

// copySettings copies what has a tag. The locks of both are held, if anybody else knows of them.
func copySettings(to, from *Handler) {
	t, f := reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem()
	for i, name := range names(t.Type()) {
		if name != "" {
			t.Field(i).Set(f.Field(i))
		}
	}
}

// MarshalJSON writes a fault as UnmarshalJSON reads it.
func (f Fault) MarshalJSON() ([]byte, error) { return json.Marshal(fields(reflect.ValueOf(f))) }

// UnmarshalJSON reads a fault by the names in the tags of its fields; its latency is written like "1h30m".
func (f *Fault) UnmarshalJSON(data []byte) error {
	*f = Fault{}
	if err := setFields(reflect.ValueOf(f).Elem(), data); err != nil {
		return err
	}
	return f.check()
}

// names are the names of a struct's fields; empty: it has none.
func names(t reflect.Type) []string {
	list := make([]string, t.NumField())
	for i := range list {
		list[i] = t.Field(i).Tag.Get("json")
	}
	return list
}

func fields(v reflect.Value) map[string]any {
	all := make(map[string]any)
	for i, name := range names(v.Type()) {
		if name == "" {
			continue
		}
		switch field := v.Field(i).Interface().(type) {
		case time.Duration:
			all[name] = field.String()
		case http.Header:
			if all[name] = nil; field != nil {
				flat := make(map[string]string)
				for header := range field {
					flat[header] = field.Get(header)
				}
				all[name] = flat
			}
		default:
			all[name] = field
		}
	}
	return all
}

func setFields(v reflect.Value, data []byte) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(data, &given); err != nil {
		return err
	}
	known := names(v.Type())
	for name, raw := range given {
		i := slices.Index(known, name)
		if i < 0 || name == "" {
			known = slices.DeleteFunc(known, func(name string) bool { return name == "" })
			return fmt.Errorf("there is no %q; there are %s", name, strings.Join(known, ", "))
		}
		if err := setField(v.Field(i), raw); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func setField(field reflect.Value, raw json.RawMessage) error {
	switch to := field.Addr().Interface().(type) {
	case *time.Duration:
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return errors.New(`a duration is a string, like "1h30m"`)
		}
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf(`%q is no duration; write it like "1h30m"`, text)
		}
		*to = d
		return nil
	case *http.Header:
		var flat map[string]string
		if err := json.Unmarshal(raw, &flat); err != nil {
			return err
		}
		*to = make(http.Header)
		for name, value := range flat {
			to.Set(name, value)
		}
		return nil
	default:
		field.SetZero() // Unmarshal would write into a slice that others have
		return json.Unmarshal(raw, to)
	}
}
