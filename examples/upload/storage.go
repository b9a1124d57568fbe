package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"

	"github.com/go-pinterest/pinterest/examples/internal/settings"
)

// A storage is what -fake has for S3, and what of Pinterest's API speaks of media.
// It is not part of what there is to learn here.
type storage struct {
	to       *settings.Pinterest
	dir      string
	api, own *httptest.Server

	mu       sync.Mutex // guards what follows
	requests []*http.Request
	objects  map[string][]byte // by path
	pins     []map[string]any
}

func openStorage(to *settings.Pinterest) *storage {
	s := &storage{to: to, objects: make(map[string][]byte)}
	s.own = httptest.NewServer(http.HandlerFunc(s.keep))
	api := http.NewServeMux()
	api.Handle("/", to.Fake)
	api.HandleFunc("POST /v5/media", s.checked(s.registerMedia))
	api.HandleFunc("GET /v5/media/{id}", s.checked(s.media))
	api.HandleFunc("POST /v5/pins", s.checked(s.newPin))
	s.api = httptest.NewServer(api)
	to.API, to.Config.Endpoint.TokenURL = s.api.URL, s.api.URL+"/v5/oauth/token"
	return s
}

func (s *storage) close() {
	s.api.Close()
	s.own.Close()
	os.RemoveAll(s.dir)
}

// bucket is a URL such as S3 signs.
func (s *storage) bucket() string { return s.own.URL + "/bucket/cat.png?X-Amz-Signature=1234" }

// samples makes a picture, and what is no picture.
func (s *storage) samples() (files []string, err error) {
	if s.dir, err = os.MkdirTemp("", "upload"); err != nil {
		return nil, err
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 600, 900))); err != nil {
		return nil, err
	}
	files = []string{filepath.Join(s.dir, "cat.png"), filepath.Join(s.dir, "clip.mp4")}
	if err := os.WriteFile(files[0], picture.Bytes(), 0o600); err != nil {
		return nil, err
	}
	return files, os.WriteFile(files[1], []byte("\x00\x00\x00\x18ftypmp42"), 0o600)
}

// keep is S3: who shows a signature and a token is refused.
func (s *storage) keep(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(data))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	if r.Header.Get("Authorization") != "" {
		http.Error(w, "Only one auth mechanism allowed", http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodPost {
		file, _, ferr := r.FormFile("file")
		if ferr != nil || r.FormValue("key") == "" {
			http.Error(w, "no key, or no file", http.StatusBadRequest)
			return
		}
		r.URL.Path = "/" + r.FormValue("key")
		data, err = io.ReadAll(file)
	}
	if err == nil {
		s.objects[r.URL.Path] = data
	}
}

// checked has a request refused that Pinterest would refuse.
func (s *storage) checked(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked := httptest.NewRequest(http.MethodGet, "/v5/user_account", nil)
		asked.Header = r.Header
		said := httptest.NewRecorder()
		if s.to.Fake.ServeHTTP(said, asked); said.Code != http.StatusOK {
			w.WriteHeader(said.Code)
			_, _ = w.Write(said.Body.Bytes()) // a client that has left needs none
			return
		}
		next(w, r)
	}
}

func (s *storage) registerMedia(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusCreated, map[string]any{"media_id": "12345", "media_type": "video", "upload_url": s.own.URL + "/",
		"upload_parameters": map[string]string{"key": "uploads/12345", "policy": "eyJl", "x-amz-signature": "fcd6"}})
}

func (s *storage) media(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := "registered"
	if s.objects["/uploads/"+r.PathValue("id")] != nil {
		status = "succeeded"
	}
	answer(w, http.StatusOK, map[string]any{"media_id": r.PathValue("id"), "media_type": "video", "status": status})
}

func (s *storage) newPin(w http.ResponseWriter, r *http.Request) {
	var pin map[string]any
	if err := json.NewDecoder(r.Body).Decode(&pin); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"code": 1, "message": "Invalid request body"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pins = append(s.pins, pin)
	pin["id"] = string(rune('0' + len(s.pins)))
	answer(w, http.StatusCreated, pin)
}

func answer(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what) // a client that has left needs none
}
