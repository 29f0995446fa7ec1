package reason

// The ids.
const (
	FormatFailure                ID = "FORMAT_FAILURE"
	ChallengeUnknown             ID = "CHALLENGE_UNKNOWN"
	ChallengeExpired             ID = "CHALLENGE_EXPIRED"
	ChallengeReplayed            ID = "CHALLENGE_REPLAYED"
	ChallengeWrongRelyingParty   ID = "CHALLENGE_WRONG_RELYING_PARTY"
	ChallengeWrongUse            ID = "CHALLENGE_WRONG_USE"
	VersionNot3                  ID = "VERSION_NOT_3"
	SerialNumberUnacceptable     ID = "SERIAL_NUMBER_UNACCEPTABLE"
	UnknownCriticalExtension     ID = "UNKNOWN_CRITICAL_EXTENSION"
	CACertificate                ID = "CA_CERTIFICATE"
	AuthorityKeyIDMissing        ID = "AUTHORITY_KEY_ID_MISSING"
	PolicyUnknown                ID = "POLICY_UNKNOWN"
	PolicyNotCritical            ID = "POLICY_NOT_CRITICAL"
	WrongKind                    ID = "WRONG_KIND"
	KeyUsageMismatch             ID = "KEY_USAGE_MISMATCH"
	ExtendedKeyUsageMismatch     ID = "EXTENDED_KEY_USAGE_MISMATCH"
	DistributionPointMismatch    ID = "DISTRIBUTION_POINT_MISMATCH"
	PublicKeyUnacceptable        ID = "PUBLIC_KEY_UNACCEPTABLE"
	CryptoConstraintsFailure     ID = "CRYPTO_CONSTRAINTS_FAILURE"
	AlgorithmKeyMismatch         ID = "ALGORITHM_KEY_MISMATCH"
	Expired                      ID = "EXPIRED"
	NotYetValid                  ID = "NOT_YET_VALID"
	NoCertificateChainFound      ID = "NO_CERTIFICATE_CHAIN_FOUND"
	IssuerNotValidNow            ID = "ISSUER_NOT_VALID_NOW"
	IssuerNotAllowed             ID = "ISSUER_NOT_ALLOWED"
	CertificateSignatureInvalid  ID = "CERTIFICATE_SIGNATURE_INVALID"
	SigCryptoFailure             ID = "SIG_CRYPTO_FAILURE"
	HolderAttributesUnreadable   ID = "HOLDER_ATTRIBUTES_UNREADABLE"
	SubstituteCharacters         ID = "SUBSTITUTE_CHARACTERS"
	Revoked                      ID = "REVOKED"
	OnHold                       ID = "ON_HOLD"
	RevocationFallbackUsed       ID = "REVOCATION_FALLBACK_USED"
	CRLMissing                   ID = "CRL_MISSING"
	CRLStale                     ID = "CRL_STALE"
	CRLNotYetValid               ID = "CRL_NOT_YET_VALID"
	CRLTooOld                    ID = "CRL_TOO_OLD"
	CRLScopeMismatch             ID = "CRL_SCOPE_MISMATCH"
	CRLFormatFailure             ID = "CRL_FORMAT_FAILURE"
	CRLIssuerMismatch            ID = "CRL_ISSUER_MISMATCH"
	CRLSignerNotAllowed          ID = "CRL_SIGNER_NOT_ALLOWED"
	CRLSignatureInvalid          ID = "CRL_SIGNATURE_INVALID"
	CRLAlgorithmRefused          ID = "CRL_ALGORITHM_REFUSED"
	CRLUnknownCriticalExtension  ID = "CRL_UNKNOWN_CRITICAL_EXTENSION"
	CRLNumberMissing             ID = "CRL_NUMBER_MISSING"
	CRLNextUpdateMissing         ID = "CRL_NEXT_UPDATE_MISSING"
	CRLIsDelta                   ID = "CRL_IS_DELTA"
	CRLIsIndirect                ID = "CRL_IS_INDIRECT"
	CRLReasonsPartial            ID = "CRL_REASONS_PARTIAL"
	CRLNumberLower               ID = "CRL_NUMBER_LOWER"
	CRLOlder                     ID = "CRL_OLDER"
	OCSPNoResponder              ID = "OCSP_NO_RESPONDER"
	OCSPUnavailable              ID = "OCSP_UNAVAILABLE"
	OCSPUnsuccessful             ID = "OCSP_UNSUCCESSFUL"
	OCSPFormatFailure            ID = "OCSP_FORMAT_FAILURE"
	OCSPCertIDMismatch           ID = "OCSP_CERT_ID_MISMATCH"
	OCSPConflict                 ID = "OCSP_CONFLICT"
	OCSPNonceMismatch            ID = "OCSP_NONCE_MISMATCH"
	OCSPNonceMissing             ID = "OCSP_NONCE_MISSING"
	OCSPResponderUnauthorized    ID = "OCSP_RESPONDER_UNAUTHORIZED"
	OCSPResponderNotValidNow     ID = "OCSP_RESPONDER_NOT_VALID_NOW"
	OCSPSignatureInvalid         ID = "OCSP_SIGNATURE_INVALID"
	OCSPAlgorithmRefused         ID = "OCSP_ALGORITHM_REFUSED"
	OCSPUnknownCriticalExtension ID = "OCSP_UNKNOWN_CRITICAL_EXTENSION"
	OCSPNotYetValid              ID = "OCSP_NOT_YET_VALID"
	OCSPStale                    ID = "OCSP_STALE"
	OCSPTooOld                   ID = "OCSP_TOO_OLD"
	OCSPStatusUnknown            ID = "OCSP_STATUS_UNKNOWN"
	IssuerUnconfirmed            ID = "ISSUER_UNCONFIRMED"
	PathBudgetExceeded           ID = "PATH_BUDGET_EXCEEDED"
	PathTooLong                  ID = "PATH_TOO_LONG"
	PathLengthExceeded           ID = "PATH_LENGTH_EXCEEDED"
	NameConstraintsViolated      ID = "NAME_CONSTRAINTS_VIOLATED"
	ExplicitPolicyRequired       ID = "EXPLICIT_POLICY_REQUIRED"
	PolicyMappingInvalid         ID = "POLICY_MAPPING_INVALID"
	IssuerRevoked                ID = "ISSUER_REVOKED"
	ServerNameMismatch           ID = "SERVER_NAME_MISMATCH"
	EmailMismatch                ID = "EMAIL_MISMATCH"
	ExtendedKeyUsageNotAllowed   ID = "EXTENDED_KEY_USAGE_NOT_ALLOWED"
	SubjectKeyIDMissing          ID = "SUBJECT_KEY_ID_MISSING"
	ExtensionCriticalityWrong    ID = "EXTENSION_CRITICALITY_WRONG"
	ExtensionMisplaced           ID = "EXTENSION_MISPLACED"
	ExtensionMissing             ID = "EXTENSION_MISSING"
	SubjectMissing               ID = "SUBJECT_MISSING"
	IssuerMissing                ID = "ISSUER_MISSING"
	SubjectAltNameUnacceptable   ID = "SUBJECT_ALT_NAME_UNACCEPTABLE"
	NameConstraintsUnacceptable  ID = "NAME_CONSTRAINTS_UNACCEPTABLE"
	ValidityEncodingWrong        ID = "VALIDITY_ENCODING_WRONG"
	CRLBaseMismatch              ID = "CRL_BASE_MISMATCH"
	CRLSignerUnconfirmed         ID = "CRL_SIGNER_UNCONFIRMED"
	CRLProfileViolated           ID = "CRL_PROFILE_VIOLATED"
	OCSPResponderRevoked         ID = "OCSP_RESPONDER_REVOKED"
	OCSPMissing                  ID = "OCSP_MISSING"
	CMSFormatFailure             ID = "CMS_FORMAT_FAILURE"
	CMSContentMissing            ID = "CMS_CONTENT_MISSING"
	CMSContentMismatch           ID = "CMS_CONTENT_MISMATCH"
	CMSSignerMissing             ID = "CMS_SIGNER_MISSING"
	CMSSignerCertificateMissing  ID = "CMS_SIGNER_CERTIFICATE_MISSING"
	CMSAttributesUnacceptable    ID = "CMS_ATTRIBUTES_UNACCEPTABLE"
	CMSMessageDigestMismatch     ID = "CMS_MESSAGE_DIGEST_MISMATCH"
	CMSSignersAmbiguous          ID = "CMS_SIGNERS_AMBIGUOUS"
	SignerNotValidated           ID = "SIGNER_NOT_VALIDATED"
	CRLIndexDamaged              ID = "CRL_INDEX_DAMAGED"
	CRLGrowthImplausible         ID = "CRL_GROWTH_IMPLAUSIBLE"
	CRLShrinkImplausible         ID = "CRL_SHRINK_IMPLAUSIBLE"
)

// table is append-only.
var table = []Reason{
	{FormatFailure, Invalid, "RFC 5280 section 4.1, X.690", "FORMAT_FAILURE",
		"証明書の形式が正しくありません。", "The certificate is not a well-formed DER certificate."},
	{ChallengeUnknown, Invalid, "Tashika challenge", "GENERIC",
		"このチャレンジは発行されたものではありません。", "The challenge was not issued here, or was altered."},
	{ChallengeExpired, Invalid, "Tashika challenge", "GENERIC",
		"チャレンジの有効期限が切れています。", "The challenge has expired."},
	{ChallengeReplayed, Invalid, "Tashika challenge", "GENERIC",
		"このチャレンジはすでに使用されています。", "The challenge was already used."},
	{ChallengeWrongRelyingParty, Invalid, "Tashika challenge", "GENERIC",
		"このチャレンジは別の利用者に発行されたものです。", "The challenge was issued to another relying party."},
	{ChallengeWrongUse, Invalid, "Tashika challenge", "GENERIC",
		"このチャレンジは別の用途のために発行されたものです。", "The challenge was issued for another use."},
	{VersionNot3, Invalid, "RFC 5280 section 4.1.2.1", "FORMAT_FAILURE",
		"証明書のバージョンが3ではありません。", "The certificate is not of version 3."},
	{SerialNumberUnacceptable, Invalid, "RFC 5280 section 4.1.2.2", "FORMAT_FAILURE",
		"証明書の発行番号の形式が正しくありません。", "The serial number is not positive or longer than 20 octets."},
	{UnknownCriticalExtension, Invalid, "RFC 5280 section 4.2", "CHAIN_CONSTRAINTS_FAILURE",
		"未知の必須拡張が含まれています。", "The certificate has a critical extension that is not known."},
	{CACertificate, Invalid, "RFC 5280 section 4.2.1.9", "CHAIN_CONSTRAINTS_FAILURE",
		"利用者の証明書ではなく認証局の証明書です。", "It is the certificate of an authority, not of a holder."},
	{AuthorityKeyIDMissing, Invalid, "RFC 5280 section 4.2.1.1", "CHAIN_CONSTRAINTS_FAILURE",
		"発行者の鍵識別子がありません。", "The certificate does not say which key of its issuer signed it."},
	{PolicyUnknown, Invalid, "RFC 5280 section 4.2.1.4, JPKI certificate profile", "CHAIN_CONSTRAINTS_FAILURE",
		"証明書ポリシーが公的個人認証サービスのものではありません。", "The certificate policy is none of JPKI's kinds of certificate."},
	{PolicyNotCritical, Invalid, "JPKI certificate profile", "CHAIN_CONSTRAINTS_FAILURE",
		"証明書ポリシーが必須拡張になっていません。", "The certificate policies are not critical."},
	{WrongKind, Invalid, "公的個人認証法 36, 38; profile of the use", "CHAIN_CONSTRAINTS_FAILURE",
		"この用途では使えない種類の証明書です。", "This kind of certificate is not accepted for this use."},
	{KeyUsageMismatch, Invalid, "RFC 5280 section 4.2.1.3, JPKI certificate profile", "CHAIN_CONSTRAINTS_FAILURE",
		"鍵用途がこの種類の証明書のものと一致しません。", "The key usage is not that of this kind of certificate."},
	{ExtendedKeyUsageMismatch, Invalid, "RFC 5280 section 4.2.1.12, JPKI certificate profile", "CHAIN_CONSTRAINTS_FAILURE",
		"拡張鍵用途がこの種類の証明書のものと一致しません。", "The extended key usage is not that of this kind of certificate."},
	{DistributionPointMismatch, Invalid, "RFC 5280 section 4.2.1.13, JPKI certificate profile", "CHAIN_CONSTRAINTS_FAILURE",
		"失効リストの配布点が正しくありません。", "The certificate does not have exactly one directoryName distribution point."},
	{PublicKeyUnacceptable, Invalid, "RFC 3279 section 2.3, CRYPTREC", "CRYPTO_CONSTRAINTS_FAILURE",
		"公開鍵の種類または長さが受け入れられません。", "The kind or length of the public key is not accepted."},
	{CryptoConstraintsFailure, Invalid, "CRYPTREC; allow-list of the profile", "CRYPTO_CONSTRAINTS_FAILURE",
		"許可されていない署名アルゴリズムです。", "The signature algorithm is not on the allow-list."},
	{AlgorithmKeyMismatch, Invalid, "RFC 5280 section 4.1.2.7", "CRYPTO_CONSTRAINTS_FAILURE",
		"署名アルゴリズムが証明書の鍵に合いません。", "The signature algorithm is not one for the key of the certificate."},
	{Expired, Invalid, "RFC 5280 section 6.1.3 (a)(2)", "EXPIRED",
		"証明書の有効期限が切れています。", "The certificate has expired."},
	{NotYetValid, Invalid, "RFC 5280 section 6.1.3 (a)(2)", "NOT_YET_VALID",
		"証明書の有効期間がまだ始まっていません。", "The certificate is not yet valid."},
	{NoCertificateChainFound, Invalid, "RFC 5280 section 6.1.3 (a)(4)", "NO_CERTIFICATE_CHAIN_FOUND",
		"信頼された認証局が発行した証明書ではありません。", "No trusted authority, by name and key identifier, issued the certificate."},
	{IssuerNotValidNow, Invalid, "RFC 5280 section 6.1.3 (a)(2)", "CHAIN_CONSTRAINTS_FAILURE",
		"認証局の証明書が有効期間外です。", "The certificate of the authority is not valid at this time."},
	{IssuerNotAllowed, Invalid, "RFC 5280 section 6.1.4 (k), (n)", "CHAIN_CONSTRAINTS_FAILURE",
		"認証局の証明書に発行の権限がありません。", "The certificate of the authority does not allow it to issue certificates."},
	{CertificateSignatureInvalid, Invalid, "RFC 5280 section 6.1.3 (a)(1)", "CERTIFICATE_CHAIN_GENERAL_FAILURE",
		"証明書の発行者の署名が正しくありません。", "The issuer's signature on the certificate is wrong."},
	{SigCryptoFailure, Invalid, "RFC 8017 section 8, FIPS 186-5", "SIG_CRYPTO_FAILURE",
		"署名が正しくありません。", "The signature is not the holder's over what was presented."},
	{HolderAttributesUnreadable, Invalid, "JPKI certificate profile", "FORMAT_FAILURE",
		"証明書から基本4情報を読み取れません。", "The holder's attributes cannot be read from the certificate."},
	{SubstituteCharacters, Warning, "JPKI certificate profile", "",
		"氏名または住所に代替文字が含まれています。文字列として比較しないでください。", "Name or address has substitute characters: do not compare them as strings."},
	{Revoked, Invalid, "RFC 5280 section 6.3.3 (i), RFC 6960 section 2.2", "REVOKED",
		"証明書は失効しています。", "The certificate is revoked."},
	{OnHold, Invalid, "RFC 5280 section 5.3.1 (certificateHold)", "TRY_LATER",
		"証明書は一時停止中です。", "The certificate is on hold."},
	{RevocationFallbackUsed, Warning, "profile of the use", "",
		"失効確認は代替の方法で行われました。", "The status was found by the second method, because the first left it unknown."},
	{CRLMissing, Indeterminate, "RFC 5280 section 6.3.3 (a)", "TRY_LATER",
		"この証明書を対象とする失効リストがありません。", "There is no revocation list for the certificate's distribution point."},
	{CRLStale, Indeterminate, "RFC 5280 section 6.3.3 (a)", "TRY_LATER",
		"失効リストの更新期限が過ぎています。", "The revocation list is past its nextUpdate."},
	{CRLNotYetValid, Indeterminate, "RFC 5280 section 5.1.2.4", "TRY_LATER",
		"失効リストの発行日時が未来です。", "The revocation list is from the future."},
	{CRLTooOld, Indeterminate, "freshness of the profile or the request", "TRY_LATER",
		"失効リストが要求された鮮度を満たしません。", "The revocation list is older than is accepted."},
	{CRLScopeMismatch, Indeterminate, "RFC 5280 section 6.3.3 (b)(2)", "TRY_LATER",
		"失効リストの対象範囲が証明書と一致しません。", "The scope of the revocation list does not cover the certificate."},
	{CRLFormatFailure, Indeterminate, "RFC 5280 section 5.1, X.690", "TRY_LATER",
		"失効リストの形式が正しくありません。", "The revocation list is not a well-formed DER list."},
	{CRLIssuerMismatch, Indeterminate, "RFC 5280 section 6.3.3 (b)(1)", "TRY_LATER",
		"失効リストの発行者が一致しません。", "The revocation list is not by the issuer of the certificates."},
	{CRLSignerNotAllowed, Indeterminate, "RFC 5280 section 6.3.3 (f)", "TRY_LATER",
		"失効リストの署名者に権限がありません。", "The signer of the revocation list may not sign lists."},
	{CRLSignatureInvalid, Indeterminate, "RFC 5280 section 6.3.3 (g)", "TRY_LATER",
		"失効リストの署名が正しくありません。", "The signature of the revocation list is wrong."},
	{CRLAlgorithmRefused, Indeterminate, "CRYPTREC; allow-list", "TRY_LATER",
		"失効リストの署名アルゴリズムが許可されていません。", "The signature algorithm of the revocation list is not on the allow-list."},
	{CRLUnknownCriticalExtension, Indeterminate, "RFC 5280 section 5.2", "TRY_LATER",
		"失効リストに未知の必須拡張が含まれています。", "The revocation list has a critical extension that is not known."},
	{CRLNumberMissing, Indeterminate, "RFC 5280 section 5.2.3", "TRY_LATER",
		"失効リストに番号がありません。", "The revocation list has no CRL number."},
	{CRLNextUpdateMissing, Indeterminate, "RFC 5280 section 5.1.2.5", "TRY_LATER",
		"失効リストに次回更新日時がありません。", "The revocation list has no nextUpdate."},
	{CRLIsDelta, Indeterminate, "RFC 5280 section 5.2.4", "TRY_LATER",
		"差分失効リストは単独では使えません。", "A delta list cannot stand for a complete one."},
	{CRLIsIndirect, Indeterminate, "RFC 5280 section 5.2.5", "TRY_LATER",
		"間接失効リストは受け入れられません。", "An indirect list is not accepted from this source."},
	{CRLReasonsPartial, Indeterminate, "RFC 5280 section 5.2.5", "TRY_LATER",
		"一部の失効理由だけを対象とする失効リストです。", "The revocation list covers only some reasons."},
	{CRLNumberLower, Indeterminate, "RFC 5280 section 5.2.3", "TRY_LATER",
		"失効リストの番号が前回より小さくなっています。", "The revocation list has a lower number than the one before."},
	{CRLOlder, Indeterminate, "RFC 5280 section 5.1.2.4", "TRY_LATER",
		"失効リストの発行日時が前回より古くなっています。", "The revocation list is older than the one before."},
	{OCSPNoResponder, Indeterminate, "RFC 6960 section 3.1", "TRY_LATER",
		"OCSPレスポンダーが設定されていません。", "There is no OCSP responder for the issuer."},
	{OCSPUnavailable, Indeterminate, "RFC 6960 section 2.3", "TRY_LATER",
		"OCSPレスポンダーが時間内に応答しませんでした。", "The OCSP responder did not answer in time."},
	{OCSPUnsuccessful, Indeterminate, "RFC 6960 section 2.3", "TRY_LATER",
		"OCSPレスポンダーがエラーを返しました。", "The OCSP responder answered with an error status."},
	{OCSPFormatFailure, Indeterminate, "RFC 6960 section 4.2.1, X.690", "TRY_LATER",
		"OCSP応答の形式が正しくありません。", "The OCSP response is not a well-formed DER response."},
	{OCSPCertIDMismatch, Indeterminate, "RFC 6960 section 3.2 (1)", "TRY_LATER",
		"OCSP応答がこの証明書についてのものではありません。", "The OCSP response is not about the certificate."},
	{OCSPConflict, Indeterminate, "RFC 6960 section 3.2 (1)", "TRY_LATER",
		"OCSP応答の中に矛盾があります。", "The OCSP response has conflicting answers for the certificate."},
	{OCSPNonceMismatch, Indeterminate, "RFC 9654 section 2.1", "TRY_LATER",
		"OCSP応答のノンスが要求と一致しません。", "The nonce of the OCSP response is not the one of the request."},
	{OCSPNonceMissing, Indeterminate, "RFC 9654 section 2.1; profile of the use", "TRY_LATER",
		"OCSP応答にノンスがありません。", "The OCSP response has no nonce, but the profile demands one."},
	{OCSPResponderUnauthorized, Indeterminate, "RFC 6960 section 4.2.2.2", "TRY_LATER",
		"OCSP応答の署名者に権限がありません。", "The signer of the OCSP response is not authorized by the issuer."},
	{OCSPResponderNotValidNow, Indeterminate, "RFC 6960 section 3.2 (4)", "TRY_LATER",
		"OCSPレスポンダーの証明書が有効期間外です。", "The certificate of the OCSP responder is not valid at this time."},
	{OCSPSignatureInvalid, Indeterminate, "RFC 6960 section 3.2 (2)", "TRY_LATER",
		"OCSP応答の署名が正しくありません。", "The signature of the OCSP response is wrong."},
	{OCSPAlgorithmRefused, Indeterminate, "CRYPTREC; allow-list", "TRY_LATER",
		"OCSP応答の署名アルゴリズムが許可されていません。", "The signature algorithm of the OCSP response is not on the allow-list."},
	{OCSPUnknownCriticalExtension, Indeterminate, "RFC 6960 section 4.4", "TRY_LATER",
		"OCSP応答に未知の必須拡張が含まれています。", "The OCSP response has a critical extension that is not known."},
	{OCSPNotYetValid, Indeterminate, "RFC 6960 section 4.2.2.1", "TRY_LATER",
		"OCSP応答の日時が未来です。", "The OCSP response is from the future."},
	{OCSPStale, Indeterminate, "RFC 6960 section 3.2 (6)", "TRY_LATER",
		"OCSP応答の更新期限が過ぎています。", "The OCSP response is past its nextUpdate."},
	{OCSPTooOld, Indeterminate, "RFC 6960 section 3.2 (5)", "TRY_LATER",
		"OCSP応答が要求された鮮度を満たしません。", "The OCSP response is older than is accepted."},
	{OCSPStatusUnknown, Indeterminate, "RFC 6960 section 2.2", "TRY_LATER",
		"OCSPレスポンダーはこの証明書を知りません。", "The OCSP responder does not know the certificate."},
	{IssuerUnconfirmed, Indeterminate, "RFC 5280 section 6.3.3", "TRY_LATER",
		"発行者を確認できないため、失効状態を確認していません。", "The status was not looked up, because the issuer could not be confirmed."},
	{PathBudgetExceeded, Indeterminate, "path building budget", "CERTIFICATE_CHAIN_GENERAL_FAILURE",
		"認証パスの構築が上限に達したため、判定できません。", "Building the certification path took more steps or signatures than are allowed."},
	{PathTooLong, Invalid, "path length limit of the request", "CHAIN_CONSTRAINTS_FAILURE",
		"認証パスが許可された長さを超えています。", "The certification path has more intermediate certificates than are accepted."},
	{PathLengthExceeded, Invalid, "RFC 5280 section 6.1.4 (l)", "CHAIN_CONSTRAINTS_FAILURE",
		"認証局の証明書のパス長制約に違反しています。", "The certification path is longer than an authority on it allows."},
	{NameConstraintsViolated, Invalid, "RFC 5280 section 6.1.3 (b), (c)", "CHAIN_CONSTRAINTS_FAILURE",
		"認証局の名前制約に違反しています。", "A name in the certificate is outside of what an authority on the path may certify."},
	{ExplicitPolicyRequired, Invalid, "RFC 5280 section 6.1.3 (f), 6.1.5 (g)", "CHAIN_CONSTRAINTS_FAILURE",
		"要求された証明書ポリシーが認証パス全体で有効ではありません。", "No acceptable certificate policy is valid for the whole certification path."},
	{PolicyMappingInvalid, Invalid, "RFC 5280 section 6.1.4 (a)", "CHAIN_CONSTRAINTS_FAILURE",
		"ポリシーマッピングの内容が正しくありません。", "A policy mapping of an authority maps from or to anyPolicy."},
	{IssuerRevoked, Invalid, "RFC 5280 section 6.1.3 (a)(3)", "REVOKED_CA_NO_POE",
		"認証局の証明書が失効しています。", "The certificate of an authority on the path is revoked."},
	{ServerNameMismatch, Invalid, "RFC 9525 section 6, RFC 5280 section 4.2.1.6", "CHAIN_CONSTRAINTS_FAILURE",
		"証明書のサーバー名が一致しません。", "The certificate is not for the server name asked for."},
	{EmailMismatch, Invalid, "RFC 5280 section 4.2.1.6, RFC 8398", "CHAIN_CONSTRAINTS_FAILURE",
		"証明書のメールアドレスが一致しません。", "The certificate is not for the e-mail address asked for."},
	{ExtendedKeyUsageNotAllowed, Invalid, "RFC 5280 section 4.2.1.12", "CHAIN_CONSTRAINTS_FAILURE",
		"要求された拡張鍵用途が許可されていません。", "The extended key usage asked for is not allowed by the certificate or an authority on its path."},
	{SubjectKeyIDMissing, Invalid, "RFC 5280 section 4.2.1.2", "CHAIN_CONSTRAINTS_FAILURE",
		"認証局の証明書に鍵識別子がありません。", "The certificate of an authority has no subject key identifier."},
	{ExtensionCriticalityWrong, Invalid, "RFC 5280 section 4.2", "CHAIN_CONSTRAINTS_FAILURE",
		"拡張の必須指定が規定と異なります。", "An extension is critical that must not be, or is not critical that must be."},
	{ExtensionMisplaced, Invalid, "RFC 5280 section 4.2.1", "CHAIN_CONSTRAINTS_FAILURE",
		"この証明書にあってはならない拡張または設定が含まれています。", "The certificate has an extension, or a setting of one, that its kind must not have."},
	{ExtensionMissing, Invalid, "RFC 5280 section 4.2.1", "CHAIN_CONSTRAINTS_FAILURE",
		"証明書に必要な拡張がありません。", "The certificate lacks an extension that its kind must have."},
	{SubjectMissing, Invalid, "RFC 5280 section 4.1.2.6", "CHAIN_CONSTRAINTS_FAILURE",
		"証明書の主体者名がありません。", "The certificate has no subject where one must be, and no critical alternative name instead."},
	{IssuerMissing, Invalid, "RFC 5280 section 4.1.2.4", "CHAIN_CONSTRAINTS_FAILURE",
		"証明書の発行者名がありません。", "The certificate has an empty issuer name."},
	{SubjectAltNameUnacceptable, Invalid, "RFC 5280 section 4.2.1.6", "CHAIN_CONSTRAINTS_FAILURE",
		"主体者別名の形式が正しくありません。", "A subject alternative name is empty or not of the form that its kind demands."},
	{NameConstraintsUnacceptable, Invalid, "RFC 5280 section 4.2.1.10", "CHAIN_CONSTRAINTS_FAILURE",
		"名前制約の形式が正しくありません。", "The name constraints of an authority are not of a form that can be applied."},
	{ValidityEncodingWrong, Invalid, "RFC 5280 section 4.1.2.5", "FORMAT_FAILURE",
		"有効期間の日時の形式が規定と異なります。", "A time of the validity is not encoded in the type that its year demands."},
	{CRLBaseMismatch, Indeterminate, "RFC 5280 section 6.3.3 (c)", "TRY_LATER",
		"差分失効リストが基本となる失効リストに適合しません。", "The delta list does not fit the complete revocation list."},
	{CRLSignerUnconfirmed, Indeterminate, "RFC 5280 section 6.3.3 (f)", "TRY_LATER",
		"失効リストの発行者を確認できません。", "No valid certification path leads to the signer of the revocation list."},
	{CRLProfileViolated, Indeterminate, "RFC 5280 section 5", "TRY_LATER",
		"失効リストが規定のプロファイルに適合しません。", "The revocation list breaks a rule of the profile for lists."},
	{OCSPResponderRevoked, Indeterminate, "RFC 6960 section 4.2.2.2.1", "TRY_LATER",
		"OCSPレスポンダーの証明書が失効しています。", "The certificate of the OCSP responder is revoked."},
	{OCSPMissing, Indeterminate, "RFC 6960 section 3.2", "TRY_LATER",
		"この証明書についてのOCSP応答がありません。", "There is no OCSP response about the certificate."},
	{CMSFormatFailure, Invalid, "RFC 5652 section 5, X.690", "FORMAT_FAILURE",
		"CMS署名データの形式が正しくありません。", "The CMS message is not a well-formed SignedData."},
	{CMSContentMissing, Invalid, "RFC 5652 section 5.2", "SIGNED_DATA_NOT_FOUND",
		"署名対象のデータがありません。", "The CMS message is detached and its content was not given."},
	{CMSContentMismatch, Invalid, "RFC 5652 section 5.2", "HASH_FAILURE",
		"CMS署名データの内容が提示された内容と一致しません。", "The content inside the CMS message is not the content that was presented."},
	{CMSSignerMissing, Invalid, "RFC 5652 section 5.1", "FORMAT_FAILURE",
		"CMS署名データに署名者がありません。", "The CMS message has no signer."},
	{CMSSignerCertificateMissing, Invalid, "RFC 5652 section 5.3", "NO_SIGNING_CERTIFICATE_FOUND",
		"署名者の証明書が見つかりません。", "The certificate of a signer of the CMS message was not found."},
	{CMSAttributesUnacceptable, Invalid, "RFC 5652 sections 5.3, 11", "SIG_CONSTRAINTS_FAILURE",
		"CMS署名属性が規定に適合しません。", "The signed attributes lack content type or message digest, or break a rule for attributes."},
	{CMSMessageDigestMismatch, Invalid, "RFC 5652 section 11.2", "HASH_FAILURE",
		"CMS署名データのメッセージダイジェストが内容と一致しません。", "The message digest of the CMS message is not that of the content."},
	{CMSSignersAmbiguous, Invalid, "profile of the use", "SIG_CONSTRAINTS_FAILURE",
		"署名者がちょうど1人のCMS署名データが必要です。", "The CMS message does not have exactly one signer."},
	{SignerNotValidated, Warning, "RFC 5652 section 5.6", "",
		"署名だけを確認しました。署名者の証明書は検証していません。", "Only the signature was checked: no trust anchor was given to validate the signer's certificate by."},
	{CRLIndexDamaged, Indeterminate, "integrity of the state directory", "TRY_LATER",
		"失効リストの索引が壊れています。", "The index of the revocation list is damaged."},
	{CRLGrowthImplausible, Indeterminate, "bounds of the source", "TRY_LATER",
		"失効リストの増加が設定された範囲を超えています。", "The revocation list has gained more entries than its source's bound allows."},
	{CRLShrinkImplausible, Indeterminate, "bounds of the source", "TRY_LATER",
		"失効リストの減少が設定された範囲を超えています。", "The revocation list has lost more entries than its source's bound allows."},
}
