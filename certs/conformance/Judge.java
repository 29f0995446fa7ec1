import java.io.*;
import java.nio.charset.StandardCharsets;
import java.security.*;
import java.security.cert.*;
import java.security.cert.Certificate;
import java.security.spec.*;
import java.time.Instant;
import java.util.*;

/**
 * Answers the lines of `tashika validate -batch` with nothing but what a JDK brings, so that it
 * can be measured by the same cases. Started as `java Judge.java`; Java 17 or later.
 *
 * A path is built and validated by PKIX with revocation checked from the given lists only, or
 * from the given OCSP response only; a signature alone is verified by java.security.Signature.
 * What it refuses: any network (the system properties that would fetch are off by default).
 */
public class Judge {
    static final CertificateFactory X509 = factory();

    public static void main(String[] args) throws IOException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        for (String line; (line = in.readLine()) != null; ) {
            Map<String, Object> question = new JSON(line).object();
            String verdict = "valid", why = "";
            try {
                if (question.containsKey("public_key")) signature(question);
                else path(question);
            } catch (Exception | StackOverflowError e) {
                verdict = "invalid";
                why = e.toString();
            }
            out.println("{\"id\":" + JSON.quote((String) question.get("id")) + ",\"verdict\":\"" + verdict
                + "\",\"reasons\":[" + (why.isEmpty() ? "" : JSON.quote(why)) + "]}");
        }
    }

    static void path(Map<String, Object> q) throws Exception {
        var anchors = new HashSet<TrustAnchor>();
        for (byte[] der : list(q, "trust_anchors")) anchors.add(new TrustAnchor(certificate(der), null));
        X509Certificate leaf = certificate(bytes(q, "certificate"));
        var material = new ArrayList<Object>();
        material.add(leaf);
        for (byte[] der : list(q, "intermediates")) material.add(certificate(der));
        for (byte[] der : list(q, "crls")) material.add(X509.generateCRL(new ByteArrayInputStream(der)));

        var target = new X509CertSelector();
        target.setCertificate(leaf);
        var params = new PKIXBuilderParameters(anchors, target);
        params.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(material)));
        params.setDate(Date.from(Instant.parse((String) q.get("time"))));
        params.setMaxPathLength(-1);
        params.setPolicyQualifiersRejected(false); // RFC 5280 has no such setting
        if (q.get("policy") instanceof Map<?, ?> policy) {
            var initial = new HashSet<String>();
            if (policy.get("initial_policy_set") instanceof List<?> set) for (Object oid : set) initial.add((String) oid);
            params.setInitialPolicies(initial.contains("2.5.29.32.0") ? Set.of() : initial);
            params.setExplicitPolicyRequired(Boolean.TRUE.equals(policy.get("require_explicit_policy")));
            params.setPolicyMappingInhibited(Boolean.TRUE.equals(policy.get("inhibit_policy_mapping")));
            params.setAnyPolicyInhibited(Boolean.TRUE.equals(policy.get("inhibit_any_policy")));
        }

        String revocation = (String) q.getOrDefault("revocation", "none");
        params.setRevocationEnabled(!revocation.equals("none"));
        if (params.isRevocationEnabled()) {
            var checker = (PKIXRevocationChecker) CertPathBuilder.getInstance("PKIX").getRevocationChecker();
            var options = EnumSet.of(PKIXRevocationChecker.Option.NO_FALLBACK);
            if (revocation.equals("crl")) options.add(PKIXRevocationChecker.Option.PREFER_CRLS);
            // A CA's certificate is no end entity to this option, even where it is the target.
            if ("leaf".equals(q.get("scope")) && leaf.getBasicConstraints() == -1) options.add(PKIXRevocationChecker.Option.ONLY_END_ENTITY);
            checker.setOptions(options);
            var responses = list(q, "ocsp_responses");
            if (!responses.isEmpty()) checker.setOcspResponses(Map.of(leaf, responses.get(0)));
            params.addCertPathChecker(checker);
        }
        boolean direct = Boolean.TRUE.equals(q.get("anchors_are_trusted_issuers")) && anchors.stream().anyMatch(
            a -> a.getTrustedCert().getSubjectX500Principal().equals(leaf.getIssuerX500Principal()));
        if (direct) {
            // The path is given: the certificate under its issuer, of which nothing is checked.
            var given = new PKIXParameters(anchors);
            given.setDate(params.getDate());
            given.setRevocationEnabled(params.isRevocationEnabled());
            given.setCertPathCheckers(params.getCertPathCheckers());
            given.setCertStores(params.getCertStores());
            CertPathValidator.getInstance("PKIX").validate(X509.generateCertPath(List.of(leaf)), given);
            return;
        }
        CertPathBuilder.getInstance("PKIX").build(params);
    }

    static void signature(Map<String, Object> q) throws Exception {
        Map<?, ?> algorithm = (Map<?, ?>) q.get("algorithm");
        String type = (String) algorithm.get("type"), hash = (String) algorithm.get("hash");
        String joined = hash.replace("-", "");
        Signature verifier = switch (type) {
            case "rsa-pkcs1" -> Signature.getInstance(joined + "withRSA");
            case "rsa-pss" -> Signature.getInstance("RSASSA-PSS");
            case "ecdsa" -> Signature.getInstance(joined + "withECDSA");
            case "ecdsa-p1363" -> Signature.getInstance(joined + "withECDSAinP1363Format");
            default -> throw new NoSuchAlgorithmException(type);
        };
        if (type.equals("rsa-pss"))
            verifier.setParameter(new PSSParameterSpec(hash, "MGF1", new MGF1ParameterSpec((String) algorithm.get("mgf_hash")),
                ((Double) algorithm.get("salt_length")).intValue(), 1));
        verifier.initVerify(publicKey(bytes(q, "public_key"), type));
        verifier.update(bytes(q, "message"));
        if (!verifier.verify(bytes(q, "signature"))) throw new SignatureException("does not verify");
    }

    static PublicKey publicKey(byte[] spki, String type) throws GeneralSecurityException {
        var spec = new X509EncodedKeySpec(spki);
        if (type.startsWith("ecdsa")) return KeyFactory.getInstance("EC").generatePublic(spec);
        try {
            return KeyFactory.getInstance("RSA").generatePublic(spec);
        } catch (InvalidKeySpecException e) {
            if (!type.equals("rsa-pss")) throw e;
            return KeyFactory.getInstance("RSASSA-PSS").generatePublic(spec);
        }
    }

    static CertificateFactory factory() {
        try {
            return CertificateFactory.getInstance("X.509");
        } catch (CertificateException e) {
            throw new IllegalStateException(e);
        }
    }

    static X509Certificate certificate(byte[] der) throws CertificateException {
        return (X509Certificate) X509.generateCertificate(new ByteArrayInputStream(der));
    }

    static byte[] bytes(Map<String, Object> q, String field) {
        return Base64.getDecoder().decode((String) q.getOrDefault(field, ""));
    }

    static List<byte[]> list(Map<String, Object> q, String field) {
        var all = new ArrayList<byte[]>();
        if (q.get(field) instanceof List<?> list) for (Object o : list) all.add(Base64.getDecoder().decode((String) o));
        return all;
    }

    /** The JDK has no reader of JSON. This one trusts its input, which is written by our own side. */
    static final class JSON {
        final String text;
        int at;

        JSON(String text) { this.text = text; }

        Map<String, Object> object() {
            var map = new HashMap<String, Object>();
            expect('{');
            while (peek() != '}') {
                String key = string();
                expect(':');
                map.put(key, value());
                if (peek() == ',') at++;
            }
            at++;
            return map;
        }

        Object value() {
            switch (peek()) {
                case '{': return object();
                case '"': return string();
                case 't': at += 4; return true;
                case 'f': at += 5; return false;
                case 'n': at += 4; return null;
                case '[':
                    at++;
                    var list = new ArrayList<Object>();
                    while (peek() != ']') {
                        list.add(value());
                        if (peek() == ',') at++;
                    }
                    at++;
                    return list;
                default:
                    int start = at;
                    while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) at++;
                    return Double.valueOf(text.substring(start, at));
            }
        }

        String string() {
            expect('"');
            var s = new StringBuilder();
            for (char c; (c = text.charAt(at++)) != '"'; ) {
                if (c != '\\') {
                    s.append(c);
                    continue;
                }
                c = text.charAt(at++);
                switch (c) {
                    case 'n' -> s.append('\n');
                    case 't' -> s.append('\t');
                    case 'r' -> s.append('\r');
                    case 'b' -> s.append('\b');
                    case 'f' -> s.append('\f');
                    case 'u' -> { s.append((char) Integer.parseInt(text.substring(at, at + 4), 16)); at += 4; }
                    default -> s.append(c);
                }
            }
            return s.toString();
        }

        char peek() {
            while (text.charAt(at) <= ' ') at++;
            return text.charAt(at);
        }

        void expect(char c) {
            if (peek() != c) throw new IllegalArgumentException(c + " expected at " + at);
            at++;
        }

        static String quote(String s) {
            var q = new StringBuilder("\"");
            for (char c : s.toCharArray()) {
                if (c == '"' || c == '\\') q.append('\\').append(c);
                else if (c < ' ') q.append(String.format("\\u%04x", (int) c));
                else q.append(c);
            }
            return q.append('"').toString();
        }
    }
}
