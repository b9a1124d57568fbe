module github.com/go-pinterest/pinterest/pinterest

go 1.26.0

require (
	github.com/fatih/color v1.19.0
	github.com/go-pinterest/pinterest v0.1.0
	github.com/rogpeppe/go-internal v1.16.0
	github.com/spf13/cobra v1.10.2
	github.com/stretchr/testify v1.12.1
	golang.org/x/oauth2 v0.38.0
	golang.org/x/term v0.48.0
)

require github.com/gofrs/flock v0.13.2 // indirect

require (
	github.com/cli/browser v1.3.0
	github.com/go-pinterest/pinterest/filestore v0.1.0
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/mattn/go-colorable v0.1.14 // indirect
	github.com/mattn/go-isatty v0.0.20 // indirect
	github.com/spf13/pflag v1.0.9 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/tools v0.26.0 // indirect
)
