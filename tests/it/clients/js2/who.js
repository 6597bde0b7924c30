// Prints who the default chain of the AWS SDK for JavaScript 2 is, once for each line on stdin.
process.env.AWS_SDK_LOAD_CONFIG = "1"; // else it reads no ~/.aws/config
const { STS } = require("aws-sdk");
const { createInterface } = require("node:readline");

(async () => {
  const sts = new STS({ endpoint: process.env.AWS_ENDPOINT_URL }); // a variable that it does not know
  for await (const _ of createInterface({ input: process.stdin })) {
    try {
      console.log((await sts.getCallerIdentity().promise()).Arn);
    } catch (error) {
      console.log("error:", String(error.message).replaceAll("\n", " "));
    }
  }
})();
