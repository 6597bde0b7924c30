import java.util.Scanner;
import software.amazon.awssdk.services.sts.StsClient;

/** Prints who the default chain of the AWS SDK for Java 2 is, once for each line on stdin. */
class Who {
    public static void main(String[] none) {
        StsClient sts = StsClient.create();
        for (Scanner lines = new Scanner(System.in); lines.hasNextLine(); ) {
            lines.nextLine();
            try {
                System.out.println(sts.getCallerIdentity().arn());
            } catch (RuntimeException error) {
                System.out.println("error: " + error.getMessage().replace('\n', ' '));
            }
        }
    }
}
