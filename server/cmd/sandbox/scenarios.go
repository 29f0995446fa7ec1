package main

import (
	"context"

	"github.com/tashika-jp/tashika/certs/reason"
	"github.com/tashika-jp/tashika/certs/sandbox"
)

const (
	valid         = "VALID"
	invalid       = "INVALID"
	indeterminate = "INDETERMINATE"
)

// staleMunicipality is the one whose lists were already past their nextUpdate when the server
// first fetched them, and stay so: its holders' status is unknown from lists.
var staleMunicipality = sandbox.Municipalities()[len(sandbox.Municipalities())-1].Code

// scenarios are all the stories, in the order in which they are told.
var scenarios = []scenario{
	{"good_kiosk", "コンビニ交付: 正常", "kiosk, good", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.answer(ctx, s.issue(sandbox.IssueOptions{}), kiosk, useConvenience), nil
		}},
	{"good_clinic", "健康保険証: 正常", "clinic, good", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.answer(ctx, s.issue(sandbox.IssueOptions{}), clinic, useHealth), nil
		}},
	{"good_identity", "本人確認: 正常(4情報つき)", "identity verification, good, with attributes", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.signContent(s.issuePlain()), nil
		}},
	{"good_substitute_characters", "本人確認: 代替文字のある氏名", "identity verification, a name with substitute characters", valid,
		[]reason.ID{reason.SubstituteCharacters},
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.signContent(s.issueMarked()), nil
		}},
	{"good_older_generation", "旧世代の認証局鍵の証明書", "issued under the older key of the authority", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.answer(ctx, s.issue(sandbox.IssueOptions{Generation: 1}), kiosk, useConvenience), nil
		}},
	{"good_p384", "次期カード方式: P-384", "a P-384 key, as on the next card", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.answer(ctx, s.issue(sandbox.IssueOptions{Key: sandbox.P384}), kiosk, useConvenience,
				func(p *presentation) { p.algorithm = ecdsaSHA384 }), nil
		}},
	{"good_ocsp", "OCSPのみで確認", "by OCSP alone", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.answer(ctx, s.issue(sandbox.IssueOptions{}), kiosk, useConvenience, by("OCSP")), nil
		}},

	{"wrong_kind_at_kiosk", "用途違い: 署名用証明書をコンビニで", "a signature certificate at a kiosk", invalid, []reason.ID{reason.WrongKind},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issue(sandbox.IssueOptions{})
			out := s.answer(ctx, p, kiosk, useConvenience)
			signature, err := p.SignContent(sandbox.DefaultPassword, sandbox.DefaultAlgorithm, out.challenge)
			out.certificate, out.signature = p.Certificate(sandbox.Sign).DER, signature
			return out, err
		}},
	{"wrong_kind_for_identity", "用途違い: 利用者証明用証明書で本人確認", "a user-authentication certificate for identity verification", invalid, []reason.ID{reason.WrongKind},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issue(sandbox.IssueOptions{})
			out := s.signContent(p)
			signature, err := p.SignChallenge(sandbox.DefaultPIN, sandbox.DefaultAlgorithm, out.content)
			out.certificate, out.signature = p.Certificate(sandbox.Auth).DER, signature
			return out, err
		}},

	{"held", "紛失の届出: 一時停止中", "reported lost: on hold", invalid, []reason.ID{reason.OnHold},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issue(sandbox.IssueOptions{})
			s.publish(ctx, s.world.ReportLost(p))
			return s.answer(ctx, p, clinic, useHealth), nil
		}},
	{"held_identity", "紛失の届出: 署名用も停止", "reported lost: the signature certificate too", invalid, []reason.ID{reason.OnHold},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issuePlain()
			s.publish(ctx, s.world.ReportLost(p))
			return s.signContent(p), nil
		}},
	{"released", "発見して停止解除: 利用者証明用は復活", "found, the stop lifted: good again", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issue(sandbox.IssueOptions{})
			s.publish(ctx, s.world.ReportLost(p))
			s.publish(ctx, s.world.LiftStop(p))
			return s.answer(ctx, p, clinic, useHealth), nil
		}},
	{"released_old_signature", "停止解除後: 古い署名用は失効", "found, the stop lifted: the old signature certificate has ended", invalid, []reason.ID{reason.Revoked},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issuePlain()
			old := p.Keep()
			s.publish(ctx, s.world.ReportLost(p))
			s.publish(ctx, s.world.LiftStop(p))
			return s.signContent(old), nil
		}},
	{"released_new_signature", "停止解除後: 新しい署名用は有効", "found, the stop lifted: the new signature certificate is good", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issuePlain()
			s.publish(ctx, s.world.ReportLost(p))
			s.publish(ctx, s.world.LiftStop(p))
			return s.signContent(p), nil
		}},
	{"revoked", "アプリで失効", "revoked in the app", invalid, []reason.ID{reason.Revoked},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issue(sandbox.IssueOptions{})
			s.publish(ctx, s.world.Revoke(p, sandbox.DefaultPassword))
			return s.answer(ctx, p, kiosk, useConvenience), nil
		}},
	{"new_device_old", "機種変更: 旧端末", "new device: the old phone", invalid, []reason.ID{reason.Revoked},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issue(sandbox.IssueOptions{})
			_, err := s.world.ChangeDevice(p, sandbox.IssueOptions{})
			s.publish(ctx, err)
			return s.answer(ctx, p, kiosk, useConvenience), nil
		}},
	{"new_device", "機種変更: 新端末", "new device: the new phone", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			p, err := s.world.ChangeDevice(s.issue(sandbox.IssueOptions{}), sandbox.IssueOptions{})
			s.publish(ctx, err)
			return s.answer(ctx, p, kiosk, useConvenience), nil
		}},
	{"moved_signature", "転居: 署名用は失効", "moved house: the signature certificate has ended", invalid, []reason.ID{reason.Revoked},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issuePlain()
			old := p.Keep()
			s.publish(ctx, s.world.MoveHouse(p, elsewhere(p), ""))
			return s.signContent(old), nil
		}},
	{"moved_authentication", "転居: 利用者証明用はそのまま", "moved house: user authentication goes on", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issue(sandbox.IssueOptions{})
			s.publish(ctx, s.world.MoveHouse(p, elsewhere(p), ""))
			return s.answer(ctx, p, kiosk, useConvenience), nil
		}},
	{"card_renewed", "カード更新: スマホ用は失効", "card renewed: the phone's certificates have ended", invalid, []reason.ID{reason.Revoked},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issue(sandbox.IssueOptions{})
			s.publish(ctx, s.world.RenewCard(p))
			return s.answer(ctx, p, clinic, useHealth), nil
		}},
	{"expired", "有効期限切れ", "expired", invalid, []reason.ID{reason.Expired},
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.answer(ctx, s.issue(sandbox.IssueOptions{Expired: true}), kiosk, useConvenience), nil
		}},
	{"expired_later", "時の経過による期限切れ", "expired with the years", invalid, []reason.ID{reason.Expired},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issuePlain()
			s.publish(ctx, s.world.Expire(p))
			return s.signContent(p), nil
		}},

	{"wrong_signature", "他人の署名", "somebody else's signature", invalid, []reason.ID{reason.SigCryptoFailure},
		func(ctx context.Context, s *stage) (presentation, error) {
			out := s.answer(ctx, s.issue(sandbox.IssueOptions{}), kiosk, useConvenience)
			out.certificate = s.issue(sandbox.IssueOptions{}).Certificate(sandbox.Auth).DER
			return out, nil
		}},
	{"changed_content", "署名後に内容を改ざん", "content changed after it was signed", invalid, []reason.ID{reason.SigCryptoFailure},
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.signContent(s.issuePlain(), func(p *presentation) { p.content = append(p.content, '0') }), nil
		}},
	{"replayed_challenge", "チャレンジの再利用", "a challenge used twice", invalid, []reason.ID{reason.ChallengeReplayed},
		func(ctx context.Context, s *stage) (presentation, error) {
			out := s.answer(ctx, s.issue(sandbox.IssueOptions{}), kiosk, useConvenience)
			_, err := s.door.verify(ctx, out)
			return out, err
		}},
	{"challenge_of_another_party", "他社に発行されたチャレンジ", "a challenge of another relying party", invalid, []reason.ID{reason.ChallengeWrongRelyingParty},
		func(ctx context.Context, s *stage) (presentation, error) {
			out := s.answer(ctx, s.issue(sandbox.IssueOptions{}), otherKiosk, useConvenience)
			out.party = kiosk
			return out, nil
		}},
	{"challenge_of_another_use", "別の用途のチャレンジ", "a challenge for another use", invalid, []reason.ID{reason.ChallengeWrongUse},
		func(ctx context.Context, s *stage) (presentation, error) {
			out := s.answer(ctx, s.issue(sandbox.IssueOptions{}), clinic, useConvenience)
			out.use = useHealth
			return out, nil
		}},
	{"foreign_ca", "別の認証局", "a foreign authority of the same name", invalid, []reason.ID{reason.NoCertificateChainFound},
		func(ctx context.Context, s *stage) (presentation, error) {
			impostor, err := s.world.Impostor(false)
			check(err)
			return s.answer(ctx, s.issueIn(impostor.World, sandbox.IssueOptions{}), kiosk, useConvenience), nil
		}},
	{"forged_key_identifier", "発行者を偽った証明書", "a foreign authority that forges the key identifier", invalid, []reason.ID{reason.CertificateSignatureInvalid},
		func(ctx context.Context, s *stage) (presentation, error) {
			impostor, err := s.world.Impostor(true)
			check(err)
			return s.answer(ctx, s.issueIn(impostor.World, sandbox.IssueOptions{}), kiosk, useConvenience), nil
		}},
	{"sha1", "SHA-1の署名", "a SHA-1 signature", invalid, []reason.ID{reason.CryptoConstraintsFailure},
		func(ctx context.Context, s *stage) (presentation, error) {
			challenge, err := s.door.challenge(ctx, kiosk, useConvenience)
			check(err)
			return s.answerTo(s.issue(sandbox.IssueOptions{}), challenge, sandbox.RSAPKCS1SHA1, presentation{party: kiosk, use: useConvenience},
				func(p *presentation) { p.algorithm = rsaSHA1 }), nil
		}},
	{"sha1_under_another_name", "SHA-1をSHA-256と偽る", "a SHA-1 signature called SHA-256", invalid, []reason.ID{reason.SigCryptoFailure},
		func(ctx context.Context, s *stage) (presentation, error) {
			challenge, err := s.door.challenge(ctx, kiosk, useConvenience)
			check(err)
			return s.answerTo(s.issue(sandbox.IssueOptions{}), challenge, sandbox.RSAPKCS1SHA1, presentation{party: kiosk, use: useConvenience}), nil
		}},

	{"good_identity_cms", "CMSで本人確認: 正常(4情報つき)", "identity verification by CMS, good, with attributes", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.signCMS(s.issuePlain(), sandbox.CMSOptions{SigningTime: true}), nil
		}},
	{"good_identity_cms_detached", "CMSで本人確認: 内容は別送", "identity verification by CMS, the content beside it", valid, nil,
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.signCMS(s.issuePlain(), sandbox.CMSOptions{Detached: true}, beside(transaction)), nil
		}},
	{"cms_changed_content", "CMS: 署名後に内容を改ざん", "CMS: content changed after it was signed", invalid, []reason.ID{reason.CMSMessageDigestMismatch},
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.signCMS(s.issuePlain(), sandbox.CMSOptions{Fault: sandbox.CMSContentChanged}), nil
		}},
	{"cms_other_content", "CMS: 提示した内容と中身が違う", "CMS: another content inside than the one presented", invalid, []reason.ID{reason.CMSContentMismatch},
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.signCMS(s.issuePlain(), sandbox.CMSOptions{}, beside("定期預金")), nil
		}},
	{"cms_revoked", "CMS: アプリで失効", "CMS: revoked in the app", invalid, []reason.ID{reason.Revoked},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issuePlain()
			s.publish(ctx, s.world.Revoke(p, sandbox.DefaultPassword))
			return s.signCMS(p, sandbox.CMSOptions{}), nil
		}},
	{"cms_wrong_kind", "CMS: 利用者証明用証明書で本人確認", "CMS: a user-authentication certificate for identity verification", invalid, []reason.ID{reason.WrongKind},
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.signCMS(s.issue(sandbox.IssueOptions{}), sandbox.CMSOptions{Authority: sandbox.Auth}), nil
		}},

	{"wrong_partition", "対象の失効リストがない", "no list for the certificate's partition", indeterminate, []reason.ID{reason.CRLMissing},
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.answer(ctx, s.issue(sandbox.IssueOptions{Municipality: sandbox.UnpublishedMunicipality}), kiosk, useConvenience, by("CRL")), nil
		}},
	{"wrong_partition_served", "別の市区町村のリストが届く: 前のリストで判定", "another partition's list arrives: refused, the last good one answers", invalid, []reason.ID{reason.OnHold},
		func(ctx context.Context, s *stage) (presentation, error) {
			p := s.issue(sandbox.IssueOptions{})
			s.publish(ctx, s.world.ReportLost(p))
			s.publish(ctx, s.world.SetListFault(p.Certificate(sandbox.Auth).List(), sandbox.ListFault{Kind: sandbox.ListWrongPartition}))
			return s.answer(ctx, p, kiosk, useConvenience, by("CRL")), nil
		}},
	{"stale_list", "失効リストの期限切れ", "a list past its nextUpdate", indeterminate, []reason.ID{reason.CRLStale},
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.answer(ctx, s.issue(sandbox.IssueOptions{Municipality: staleMunicipality}), kiosk, useConvenience, by("CRL")), nil
		}},
	{"stale_list_fallback", "失効リストの期限切れ: OCSPで確認", "a list past its nextUpdate, then OCSP", valid, []reason.ID{reason.RevocationFallbackUsed},
		func(ctx context.Context, s *stage) (presentation, error) {
			return s.answer(ctx, s.issue(sandbox.IssueOptions{Municipality: staleMunicipality}), kiosk, useConvenience, by("CRL_THEN_OCSP")), nil
		}},
	{"ocsp_wrong_nonce", "OCSP応答の使い回し", "OCSP answers with another nonce", indeterminate, []reason.ID{reason.OCSPNonceMismatch},
		func(ctx context.Context, s *stage) (presentation, error) {
			out := s.signContent(s.issuePlain(), by("OCSP"))
			return out, s.world.SetOCSPFault(sandbox.OCSPFault{Kind: sandbox.OCSPWrongNonce})
		}},
	// Last, for responders that failed so often are not asked for a while.
	{"ocsp_down", "OCSP停止: 代替なし", "OCSP down, no fallback", indeterminate, []reason.ID{reason.OCSPUnavailable},
		func(ctx context.Context, s *stage) (presentation, error) {
			out := s.signContent(s.issuePlain(), by("OCSP"))
			return out, s.world.SetOCSPFault(sandbox.OCSPFault{Kind: sandbox.OCSPUnavailable})
		}},
	{"ocsp_down_fallback", "OCSP停止: 失効リストで確認", "OCSP down, then the list", valid, []reason.ID{reason.RevocationFallbackUsed},
		func(ctx context.Context, s *stage) (presentation, error) {
			out := s.signContent(s.issuePlain())
			return out, s.world.SetOCSPFault(sandbox.OCSPFault{Kind: sandbox.OCSPUnavailable})
		}},
}
