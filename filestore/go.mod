module github.com/go-pinterest/pinterest/filestore

go 1.26.0

require (
	github.com/go-pinterest/pinterest v0.1.0
	github.com/gofrs/flock v0.13.2
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.49.0
)

require (
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/oauth2 v0.38.0 // indirect
)
