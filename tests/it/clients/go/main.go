// Prints who the default chain of the AWS SDK for Go v2 is, once for each line on stdin; with `terraform` as its argument,
// who the layer is that terraform puts on it.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
)

func settings(ctx context.Context) (aws.Config, error) {
	if len(os.Args) == 1 {
		return config.LoadDefaultConfig(ctx)
	}
	_, settings, diagnostics := awsbase.GetAwsConfig(ctx, &awsbase.Config{MaxRetries: 3})
	for _, diagnostic := range diagnostics.Errors() {
		return settings, fmt.Errorf("%s: %s", diagnostic.Summary(), diagnostic.Detail())
	}
	return settings, nil
}

func main() {
	ctx := context.Background()
	settings, err := settings(ctx)
	client := sts.NewFromConfig(settings)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var who *sts.GetCallerIdentityOutput
		if err == nil {
			who, err = client.GetCallerIdentity(ctx, nil)
		}
		if err != nil {
			fmt.Println("error:", strings.ReplaceAll(err.Error(), "\n", " "))
			err = nil
		} else {
			fmt.Println(*who.Arn)
		}
	}
}
