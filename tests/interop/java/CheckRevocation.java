import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertPathValidatorException.BasicReason;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateRevokedException;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Java's own PKIX validation with OCSP as the judge of answers.
 *
 * <p>{@code java CheckRevocation.java URL (CA.pem CERT.pem)...} prints one line for each pair:
 * {@code CERT.pem good}, {@code CERT.pem revoked REASON} or {@code CERT.pem undetermined WHY}.
 * The path is the certificate alone, the CA its anchor; nothing but the responder is asked.
 */
public final class CheckRevocation {
    private CheckRevocation() {}

    public static void main(String[] arguments) throws Exception {
        URI responder = URI.create(arguments[0]);
        for (int i = 1; i + 1 < arguments.length; i += 2) {
            System.out.println(arguments[i + 1] + " " + judge(responder, arguments[i], arguments[i + 1]));
        }
    }

    private static String judge(URI responder, String authority, String certificate) throws Exception {
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
        checker.setOcspResponder(responder);
        checker.setOptions(
                EnumSet.of(PKIXRevocationChecker.Option.NO_FALLBACK, PKIXRevocationChecker.Option.ONLY_END_ENTITY));
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(read(authority), null)));
        parameters.addCertPathChecker(checker);
        CertPath path = CertificateFactory.getInstance("X.509").generateCertPath(List.of(read(certificate)));
        try {
            validator.validate(path, parameters);
            return "good";
        } catch (CertPathValidatorException refusal) {
            if (refusal.getReason() == BasicReason.REVOKED
                    && refusal.getCause() instanceof CertificateRevokedException revoked) {
                return "revoked " + revoked.getRevocationReason();
            }
            return "undetermined " + refusal.getReason() + ": " + refusal.getMessage();
        }
    }

    private static X509Certificate read(String path) throws Exception {
        try (InputStream file = Files.newInputStream(Path.of(path))) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(file);
        }
    }
}
