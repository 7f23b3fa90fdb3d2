package intake

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// compose puts letters and the marks behind them together into one character where Unicode has one (NFC).
// MARC stores them apart; without this "é" is two characters and no font promises to draw them as one.
func compose(s string) string {
	if !strings.ContainsFunc(s, isMark) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		base, n := utf8.DecodeRuneInString(s[i:])
		i += n
		var marks []rune
		for i < len(s) && len(marks) < 16 { // more on one letter is no writing
			m, n := utf8.DecodeRuneInString(s[i:])
			if !isMark(m) {
				break
			}
			marks = append(marks, m)
			i += n
		}
		writeComposed(&b, base, marks)
	}
	return b.String()
}

// writeComposed writes a letter with its marks, those below first.
func writeComposed(b *strings.Builder, base rune, marks []rune) {
	slices.SortStableFunc(marks, func(x, y rune) int { return cmp.Compare(class(x), class(y)) })
	rest := marks[:0]
	blocked := 0
	for _, m := range marks {
		if both, ok := pairs()[[2]rune{base, m}]; ok && blocked != class(m) {
			base = both
			continue
		}
		rest, blocked = append(rest, m), class(m)
	}
	b.WriteRune(base)
	for _, m := range rest {
		b.WriteRune(m)
	}
}

// isMark tells the combining marks that the tables below know.
func isMark(r rune) bool { return r >= 0x300 && r <= 0x36f }

// class is the place of a mark around its letter: Unicode's canonical combining class.
func class(m rune) int {
	switch {
	case m == 0x34f:
		return 0
	case m >= 0x334 && m <= 0x338:
		return 1
	case m == 0x321 || m == 0x322 || m == 0x327 || m == 0x328:
		return 202
	case m == 0x31b:
		return 216
	case m == 0x315 || m == 0x31a || m == 0x358:
		return 232
	case m == 0x35c || m == 0x35f || m == 0x362:
		return 233
	case m == 0x35d || m == 0x35e || m == 0x360 || m == 0x361:
		return 234
	case m == 0x345:
		return 240
	case m >= 0x316 && m <= 0x333 || m >= 0x339 && m <= 0x33c || m >= 0x347 && m <= 0x349,
		m == 0x34d, m == 0x34e, m >= 0x353 && m <= 0x356, m == 0x359, m == 0x35a:
		return 220
	}
	return 230
}

// pairs are the characters that a letter and a mark make.
var pairs = sync.OnceValue(func() map[[2]rune]rune {
	all := make(map[[2]rune]rune, 900)
	for mark, list := range byMark() {
		runes := []rune(list)
		for i := 0; i+1 < len(runes); i += 2 {
			all[[2]rune{runes[i], mark}] = runes[i+1]
		}
	}
	return all
})

// byMark lists for each mark the letters that it goes with, each followed by what they make together: the
// canonical compositions of Unicode 15 without its exclusions.
func byMark() map[rune]string {
	return map[rune]string{
		'\u0300': "AÀEÈIÌOÒUÙaàeèiìoòuùÜǛüǜNǸnǹЕЀИЍеѐиѝĒḔēḕŌṐōṑWẀwẁÂẦâầĂẰăằÊỀêềÔỒôồƠỜơờƯỪưừYỲyỳἀἂἁἃ" +
			"ἈἊἉἋἐἒἑἓἘἚἙἛἠἢἡἣἨἪἩἫἰἲἱἳἸἺἹἻὀὂὁὃὈὊὉὋὐὒὑὓὙὛὠὢὡὣὨὪὩὫαὰεὲηὴιὶοὸυὺωὼΑᾺΕῈΗῊ᾿῍ϊῒΙῚ῾῝ϋῢ" +
			"ΥῪ¨῭ΟῸΩῺ",
		'\u0301': "AÁEÉIÍOÓUÚYÝaáeéiíoóuúyýCĆcćLĹlĺNŃnńRŔrŕSŚsśZŹzźÜǗüǘGǴgǵÅǺåǻÆǼæǽØǾøǿ¨΅ΑΆΕΈΗΉΙΊΟΌ" +
			"ΥΎΩΏϊΐαάεέηήιίϋΰοόυύωώϒϓГЃКЌгѓкќÇḈçḉĒḖēḗÏḮïḯKḰkḱMḾmḿÕṌõṍŌṒōṓPṔpṕŨṸũṹWẂwẃÂẤâấĂẮăắ" +
			"ÊẾêếÔỐôốƠỚơớƯỨưứἀἄἁἅἈἌἉἍἐἔἑἕἘἜἙἝἠἤἡἥἨἬἩἭἰἴἱἵἸἼἹἽὀὄὁὅὈὌὉὍὐὔὑὕὙὝὠὤὡὥὨὬὩὭ᾿῎῾῞",
		'\u0302': "AÂEÊIÎOÔUÛaâeêiîoôuûCĈcĉGĜgĝHĤhĥJĴjĵSŜsŝWŴwŵYŶyŷZẐzẑẠẬạậẸỆẹệỌỘọộ",
		'\u0303': "AÃNÑOÕaãnñoõIĨiĩUŨuũVṼvṽÂẪâẫĂẴăẵEẼeẽÊỄêễÔỖôỗƠỠơỡƯỮưữYỸyỹ",
		'\u0304': "AĀaāEĒeēIĪiīOŌoōUŪuūÜǕüǖÄǞäǟȦǠȧǡÆǢæǣǪǬǫǭÖȪöȫÕȬõȭȮȰȯȱYȲyȳИӢиӣУӮуӯGḠgḡḶḸḷḹṚṜṛṝαᾱΑᾹ" +
			"ιῑΙῙυῡΥῩ",
		'\u0306': "AĂaăEĔeĕGĞgğIĬiĭOŎoŏUŬuŭУЎИЙийуўЖӁжӂАӐаӑЕӖеӗȨḜȩḝẠẶạặαᾰΑᾸιῐΙῘυῠΥῨ",
		'\u0307': "CĊcċEĖeėGĠgġIİZŻzżAȦaȧOȮoȯBḂbḃDḊdḋFḞfḟHḢhḣMṀmṁNṄnṅPṖpṗRṘrṙSṠsṡŚṤśṥŠṦšṧṢṨṣṩTṪtṫWẆ" +
			"wẇXẊxẋYẎyẏſẛ",
		'\u0308': "AÄEËIÏOÖUÜaäeëiïoöuüyÿYŸΙΪΥΫιϊυϋϒϔЕЁІЇеёіїАӒаӓӘӚәӛЖӜжӝЗӞзӟИӤиӥОӦоӧӨӪөӫЭӬэӭУӰуӱЧӴ" +
			"чӵЫӸыӹHḦhḧÕṎõṏŪṺūṻWẄwẅXẌxẍtẗ",
		'\u0309': "AẢaảÂẨâẩĂẲăẳEẺeẻÊỂêểIỈiỉOỎoỏÔỔôổƠỞơởUỦuủƯỬưửYỶyỷ",
		'\u030a': "AÅaåUŮuůwẘyẙ",
		'\u030b': "OŐoőUŰuűУӲуӳ",
		'\u030c': "CČcčDĎdďEĚeěLĽlľNŇnňRŘrřSŠsšTŤtťZŽzžAǍaǎIǏiǐOǑoǒUǓuǔÜǙüǚGǦgǧKǨkǩƷǮʒǯjǰHȞhȟ",
		'\u030f': "AȀaȁEȄeȅIȈiȉOȌoȍRȐrȑUȔuȕѴѶѵѷ",
		'\u0311': "AȂaȃEȆeȇIȊiȋOȎoȏRȒrȓUȖuȗ",
		'\u0313': "αἀΑἈεἐΕἘηἠΗἨιἰΙἸοὀΟὈυὐωὠΩὨρῤ",
		'\u0314': "αἁΑἉεἑΕἙηἡΗἩιἱΙἹοὁΟὉυὑΥὙωὡΩὩρῥΡῬ",
		'\u031b': "OƠoơUƯuư",
		'\u0323': "BḄbḅDḌdḍHḤhḥKḲkḳLḶlḷMṂmṃNṆnṇRṚrṛSṢsṣTṬtṭVṾvṿWẈwẉZẒzẓAẠaạEẸeẹIỊiịOỌoọƠỢơợUỤuụƯỰưự" +
			"YỴyỵ",
		'\u0324': "UṲuṳ",
		'\u0325': "AḀaḁ",
		'\u0326': "SȘsșTȚtț",
		'\u0327': "CÇcçGĢgģKĶkķLĻlļNŅnņRŖrŗSŞsşTŢtţEȨeȩDḐdḑHḨhḩ",
		'\u0328': "AĄaąEĘeęIĮiįUŲuųOǪoǫ",
		'\u032d': "DḒdḓEḘeḙLḼlḽNṊnṋTṰtṱUṶuṷ",
		'\u032e': "HḪhḫ",
		'\u0330': "EḚeḛIḬiḭUṴuṵ",
		'\u0331': "BḆbḇDḎdḏKḴkḵLḺlḻNṈnṉRṞrṟTṮtṯZẔzẕhẖ",
		'\u0338': "←↚→↛↔↮⇐⇍⇔⇎⇒⇏∃∄∈∉∋∌∣∤∥∦∼≁≃≄≅≇≈≉=≠≡≢≍≭<≮>≯≤≰≥≱≲≴≳≵≶≸≷≹≺⊀≻⊁⊂⊄⊃⊅⊆⊈⊇⊉⊢⊬⊨⊭⊩⊮⊫⊯≼⋠≽⋡⊑⋢⊒⋣" +
			"⊲⋪⊳⋫⊴⋬⊵⋭",
		'\u0342': "ἀἆἁἇἈἎἉἏἠἦἡἧἨἮἩἯἰἶἱἷἸἾἹἿὐὖὑὗὙὟὠὦὡὧὨὮὩὯαᾶ¨῁ηῆ᾿῏ιῖϊῗ῾῟υῦϋῧωῶ",
		'\u0345': "ἀᾀἁᾁἂᾂἃᾃἄᾄἅᾅἆᾆἇᾇἈᾈἉᾉἊᾊἋᾋἌᾌἍᾍἎᾎἏᾏἠᾐἡᾑἢᾒἣᾓἤᾔἥᾕἦᾖἧᾗἨᾘἩᾙἪᾚἫᾛἬᾜἭᾝἮᾞἯᾟὠᾠὡᾡὢᾢὣᾣὤᾤὥᾥὦᾦὧᾧ" +
			"ὨᾨὩᾩὪᾪὫᾫὬᾬὭᾭὮᾮὯᾯὰᾲαᾳάᾴᾶᾷΑᾼὴῂηῃήῄῆῇΗῌὼῲωῳώῴῶῷΩῼ",
	}
}
