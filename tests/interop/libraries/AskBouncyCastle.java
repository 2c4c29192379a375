import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.ocsp.OCSPObjectIdentifiers;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.Extensions;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.ocsp.BasicOCSPResp;
import org.bouncycastle.cert.ocsp.CertificateID;
import org.bouncycastle.cert.ocsp.CertificateStatus;
import org.bouncycastle.cert.ocsp.OCSPReqBuilder;
import org.bouncycastle.cert.ocsp.OCSPResp;
import org.bouncycastle.cert.ocsp.RevokedStatus;
import org.bouncycastle.cert.ocsp.SingleResp;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

/**
 * BouncyCastle asks, and believes what it can verify. {@code AskBouncyCastle URL}, questions on standard input as
 * {@code questions.py} writes them: {@code CASE <tab> CA.pem <tab> SERIAL,... <tab> nonce? <tab> GET?}.
 */
public final class AskBouncyCastle {
    private AskBouncyCastle() {}

    public static void main(String[] arguments) throws Exception {
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            String[] fields = line.split("\t");
            String said;
            try {
                said = ask(arguments[0], fields[1], fields[2].split(","), fields[3].equals("1"), fields[4].equals("1"));
            } catch (Exception error) {
                said = error.toString();
            }
            System.out.println(fields[0] + "\t" + said);
        }
    }

    private static String ask(String url, String issuer, String[] serials, boolean nonce, boolean get)
            throws Exception {
        var provider = new BouncyCastleProvider();
        X509CertificateHolder authority;
        try (var parser = new PEMParser(Files.newBufferedReader(Path.of(issuer)))) {
            authority = (X509CertificateHolder) parser.readObject();
        }
        var digests = new JcaDigestCalculatorProviderBuilder().setProvider(provider).build();
        var builder = new OCSPReqBuilder();
        List<CertificateID> ids = new ArrayList<>();
        for (String serial : serials) {
            ids.add(new CertificateID(digests.get(CertificateID.HASH_SHA1), authority, new BigInteger(serial, 16)));
            builder.addRequest(ids.get(ids.size() - 1));
        }
        byte[] octets = new byte[32];
        if (nonce) {
            new SecureRandom().nextBytes(octets);
            byte[] value = new DEROctetString(octets).getEncoded();
            builder.setRequestExtensions(
                    new Extensions(new Extension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce, false, value)));
        }
        OCSPResp response = new OCSPResp(send(url, builder.build().getEncoded(), get));
        if (response.getStatus() != OCSPResp.SUCCESSFUL) {
            return "status " + response.getStatus();
        }
        BasicOCSPResp basic = (BasicOCSPResp) response.getResponseObject();
        verify(basic, authority, provider);
        if (nonce) {
            var echoed = basic.getExtension(OCSPObjectIdentifiers.id_pkix_ocsp_nonce);
            if (!new DEROctetString(octets).equals(echoed.getParsedValue())) {
                return "another nonce";
            }
        }
        List<String> statuses = new ArrayList<>();
        SingleResp[] singles = basic.getResponses();
        for (int i = 0; i < ids.size(); i++) {
            if (!singles[i].getCertID().equals(ids.get(i))) {
                return "another CertID";
            }
            statuses.add(status(singles[i].getCertStatus()));
        }
        return String.join(",", statuses);
    }

    /** By a delegate that the CA issued for this (RFC 6960 4.2.2.2). */
    private static void verify(BasicOCSPResp basic, X509CertificateHolder authority, BouncyCastleProvider provider)
            throws Exception {
        var verifiers = new JcaContentVerifierProviderBuilder().setProvider(provider);
        X509CertificateHolder signer = basic.getCerts()[0];
        boolean authorised = signer.isSignatureValid(verifiers.build(authority))
                && org.bouncycastle.asn1.x509.ExtendedKeyUsage.fromExtensions(signer.getExtensions())
                        .hasKeyPurposeId(KeyPurposeId.id_kp_OCSPSigning);
        if (!authorised || !basic.isSignatureValid(verifiers.build(signer))) {
            throw new IllegalStateException("not signed by whom the CA authorised");
        }
    }

    private static String status(CertificateStatus status) {
        if (status == CertificateStatus.GOOD) {
            return "good";
        }
        if (status instanceof RevokedStatus revoked) {
            return "revoked:" + (revoked.hasRevocationReason() ? revoked.getRevocationReason() : "-");
        }
        return "unknown";
    }

    private static byte[] send(String url, byte[] request, boolean get) throws Exception {
        var http = HttpRequest.newBuilder();
        if (get) {
            String text = Base64.getEncoder().encodeToString(request);
            http.uri(URI.create(url + URLEncoder.encode(text, StandardCharsets.UTF_8))).GET();
        } else {
            http.uri(URI.create(url)).header("Content-Type", "application/ocsp-request");
            http.POST(HttpRequest.BodyPublishers.ofByteArray(request));
        }
        HttpResponse<InputStream> answer =
                HttpClient.newHttpClient().send(http.build(), HttpResponse.BodyHandlers.ofInputStream());
        return answer.body().readAllBytes();
    }
}
