import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Base64;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;

/** Credentials of Keycloak, one JSON object a line: the class of the JDK that Keycloak calls, with its lengths. */
public class Make {
    public static void main(String[] arguments) throws IOException, GeneralSecurityException {
        String array = Files.readString(Path.of(arguments[0]), StandardCharsets.UTF_8);
        // The file holds one plain string a line, which JSON and this program spell alike.
        for (String line : array.lines().filter(line -> line.contains("\"")).toList()) {
            String json = line.substring(line.indexOf('"'), line.lastIndexOf('"') + 1);
            tell(json, "pbkdf2", "PBKDF2WithHmacSHA1");
            tell(json, "pbkdf2-sha256", "PBKDF2WithHmacSHA256");
            tell(json, "pbkdf2-sha512", "PBKDF2WithHmacSHA512");
        }
    }

    private static void tell(String json, String algorithm, String factory) throws GeneralSecurityException {
        byte[] salt = new byte[16];
        new SecureRandom().nextBytes(salt);
        String password = json.substring(1, json.length() - 1);
        PBEKeySpec spec = new PBEKeySpec(password.toCharArray(), salt, 1000, 512);
        byte[] value = SecretKeyFactory.getInstance(factory).generateSecret(spec).getEncoded();
        Base64.Encoder base64 = Base64.getEncoder();
        String secret = quoted("{\"value\":\"%s\",\"salt\":\"%s\",\"additionalParameters\":{}}".formatted(
                base64.encodeToString(value), base64.encodeToString(salt)));
        String credential = quoted(
                "{\"hashIterations\":1000,\"algorithm\":\"%s\",\"additionalParameters\":{}}".formatted(algorithm));
        System.out.printf(
                "{\"system\":\"Keycloak %s\",\"made_by\":\"OpenJDK %s\",\"password\":%s,"
                        + "\"keycloak\":{\"secret_data\":%s,\"credential_data\":%s}}%n",
                algorithm, System.getProperty("java.version"), json, secret, credential);
    }

    private static String quoted(String text) {
        return '"' + text.replace("\"", "\\\"") + '"';
    }
}
