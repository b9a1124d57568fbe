module github.com/go-pinterest/pinterest/fleet

go 1.26.0

require (
	github.com/go-pinterest/pinterest v0.1.0
	github.com/go-pinterest/pinterest/filestore v0.1.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/oauth2 v0.38.0
)

require (
	github.com/gofrs/flock v0.13.2 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
