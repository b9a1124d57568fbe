// Upload makes Pins of pictures and videos. They go to S3-like storage first,
// through the same client that speaks to Pinterest, and the token stays home: the
// client sends it to Pinterest's hosts only. (S3 refuses a request that has one.)
//
//	go run ./examples/upload -fake
//
// does it at a fake Pinterest, with a storage beside it. For the real one:
//
//	pinterest login --store file:tokens
//	go run ./examples/upload -board 1234567890 clip.mp4
//	UPLOAD_URL='https://…' go run ./examples/upload -board 1234567890 cat.png
//
// A video goes where Pinterest says. A picture it fetches from a place of yours:
// UPLOAD_URL lets you PUT an object that all may read (a presigned URL of S3, R2,
// GCS or MinIO).
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-pinterest/pinterest/examples/internal/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "upload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("upload", flag.ContinueOnError)
	fake := flags.Bool("fake", false, "use a fake Pinterest, and pictures that are made for it")
	dir := flags.String("store", "tokens", "where \"pinterest login --store file:DIR\" keeps tokens")
	account := flags.String("account", "default", "whose Pins these will be")
	board := flags.String("board", "", "the id of the board to pin to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	to := settings.Open(*fake, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	defer to.Close()
	files, bucket := flags.Args(), os.Getenv("UPLOAD_URL")
	if *fake {
		near := openStorage(to)
		defer near.close()
		*board, bucket = "1", near.bucket()
		if files, err = near.samples(); err != nil {
			return err
		}
	}
	accounts, err := to.Accounts(ctx, *dir, *account)
	if err != nil {
		return err
	}
	defer func() { // or a token that is being renewed is lost
		end, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		err = errors.Join(err, accounts.Wait(end))
	}()

	u := &uploader{client: accounts.Client(*account), api: to.API, bucket: bucket}
	for _, file := range files {
		pin, err := u.pin(ctx, *board, file)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		fmt.Fprintf(out, "%s is https://www.pinterest.com/pin/%s/\n", filepath.Base(file), pin)
	}
	return nil
}

// An uploader sends all requests by one client: it knows which of them are
// Pinterest's.
type uploader struct {
	client *http.Client
	api    string
	bucket string
}

// pin makes a Pin of a file, and returns its id.
func (u *uploader) pin(ctx context.Context, board, file string) (id string, err error) {
	data, err := os.ReadFile(file) // in memory: then a request can be sent again after a 401
	if err != nil {
		return "", err
	}
	var source map[string]any
	if kind := http.DetectContentType(data); strings.HasPrefix(kind, "image/") {
		source, err = u.picture(ctx, kind, data)
	} else {
		source, err = u.video(ctx, data)
	}
	if err != nil {
		return "", err
	}
	var pin struct{ ID string }
	err = u.post(ctx, "/v5/pins", map[string]any{"board_id": board, "title": filepath.Base(file), "media_source": source}, &pin)
	return pin.ID, err
}

// picture puts a picture into the bucket.
func (u *uploader) picture(ctx context.Context, kind string, data []byte) (source map[string]any, err error) {
	at, err := url.Parse(u.bucket)
	if err != nil || at.Host == "" {
		return nil, errors.New("set UPLOAD_URL to where a picture can be PUT")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, u.bucket, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", kind)
	if err := u.do(req, nil); err != nil {
		return nil, err
	}
	at.RawQuery = "" // what allows to write it
	return map[string]any{"source_type": "image_url", "url": at.String()}, nil
}

// video sends a video where Pinterest says, and waits until Pinterest has read it.
func (u *uploader) video(ctx context.Context, data []byte) (source map[string]any, err error) {
	var media struct {
		ID         string            `json:"media_id"`
		URL        string            `json:"upload_url"`
		Parameters map[string]string `json:"upload_parameters"`
		Status     string
	}
	if err := u.post(ctx, "/v5/media", map[string]any{"media_type": "video"}, &media); err != nil {
		return nil, err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range media.Parameters {
		err = errors.Join(err, form.WriteField(name, value))
	}
	part, failed := form.CreateFormFile("file", "file") // S3 ignores the fields after it
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	_, err = part.Write(data)
	if err := errors.Join(err, form.Close()); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, media.URL, &body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	if err := u.do(req, nil); err != nil {
		return nil, err
	}
	for look := time.NewTicker(2 * time.Second); media.Status != "succeeded"; {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.api+"/v5/media/"+media.ID, nil)
		if err != nil {
			return nil, err
		}
		if err := u.do(req, &media); err != nil {
			return nil, err
		}
		switch media.Status {
		case "succeeded":
			continue
		case "failed":
			return nil, errors.New("the video cannot be read, Pinterest says")
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return map[string]any{"source_type": "video_id", "media_id": media.ID, "cover_image_key_frame_time": 0}, nil
}

func (u *uploader) post(ctx context.Context, path string, what, answer any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.api+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return u.do(req, answer)
}

// do sends a request, and reads the answer unless that is nil. Its errors leave the
// query of the URL out, as it may hold a signature.
func (u *uploader) do(req *http.Request, answer any) error {
	what := req.Method + " " + req.URL.Host + req.URL.Path
	resp, err := u.client.Do(req)
	if with := (*url.Error)(nil); errors.As(err, &with) {
		return fmt.Errorf("%s: %w", what, with.Err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", what, resp.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
