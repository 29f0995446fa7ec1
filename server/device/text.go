package device

import "fmt"

// Text says for people what Check found. The words of a "no" depend on whether the list claims to be complete.
func (l *List) Text(s Support, e *Entry) (ja, en string) {
	switch {
	case s == Supported:
		return "対応機種です。", "This handset is supported."
	case s == Unsupported:
		return fmt.Sprintf("OSのバージョンが対応していません。%s以上に更新してください。", e.MinOSVersion),
			fmt.Sprintf("Its operating system is too old. Update it to %s or later.", e.MinOSVersion)
	case e != nil:
		return fmt.Sprintf("OSのバージョン%s以上であれば対応機種です。バージョンをご確認ください。", e.MinOSVersion),
			fmt.Sprintf("Supported with operating system %s or later. Please find out its version.", e.MinOSVersion)
	case l.Complete():
		return "対応機種の一覧にありません。", "Not on the list of supported handsets."
	}
	return "この一覧にありません。一覧にはすべての対応機種が載っているとは限りません。",
		"Not on this list, which may not have every supported handset."
}
