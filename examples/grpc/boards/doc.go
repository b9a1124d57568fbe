// Package boards is a gRPC service, made by protoc of boards.proto.
package boards

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative boards.proto
