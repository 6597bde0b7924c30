// Prints who the default chain of the AWS SDK for JavaScript 3 is, once for each line on stdin.
const { STSClient, GetCallerIdentityCommand } = require("@aws-sdk/client-sts");
const { createInterface } = require("node:readline");

(async () => {
  const sts = new STSClient({});
  for await (const _ of createInterface({ input: process.stdin })) {
    try {
      console.log((await sts.send(new GetCallerIdentityCommand({}))).Arn);
    } catch (error) {
      console.log("error:", String(error.message).replaceAll("\n", " "));
    }
  }
})();
