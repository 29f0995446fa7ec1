package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	tashikav1 "github.com/tashika-jp/tashika/proto/tashika/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// bare answers Verify with a message of the size that it was told and does nothing else: what
// gRPC itself costs.
type bare struct {
	tashikav1.UnimplementedVerificationServiceServer
	response *tashikav1.VerifyResponse
}

func (b *bare) Verify(context.Context, *tashikav1.VerifyRequest) (*tashikav1.VerifyResponse, error) {
	return b.response, nil
}

func (b *bare) BatchVerify(_ context.Context, r *tashikav1.BatchVerifyRequest) (*tashikav1.BatchVerifyResponse, error) {
	out := &tashikav1.BatchVerifyResponse{}
	for range r.GetRequests() {
		out.Results = append(out.Results, &tashikav1.VerifyResult{Result: &tashikav1.VerifyResult_Response{Response: b.response}})
	}
	return out, nil
}

func (b *bare) VerifyStream(stream tashikav1.VerificationService_VerifyStreamServer) error {
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = stream.Send(&tashikav1.VerifyStreamResponse{Id: r.GetId(), Result: &tashikav1.VerifyStreamResponse_Response{Response: b.response}})
		if err != nil {
			return err
		}
	}
}

// echo serves bare until the context ends. The response is read from the file that is the
// first argument: one that the real server gave.
func echo(ctx context.Context) error {
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	b := &bare{response: &tashikav1.VerifyResponse{}}
	if err := proto.Unmarshal(data, b.response); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("127.0.0.1:" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	server := grpc.NewServer()
	tashikav1.RegisterVerificationServiceServer(server, b)
	context.AfterFunc(ctx, server.GracefulStop)
	return server.Serve(listener)
}
