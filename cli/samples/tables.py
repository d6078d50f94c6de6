"""What the sample lists are made of: number plans, invented names and texts.  Tables only."""

from typing import Final

import attrs


@attrs.frozen
class Plan:
    """Where sample numbers of a country come from."""

    country: str
    calling_code: str
    trunk: str
    """What national spellings begin with."""
    mobile: str
    """The numbering plan's example number without its last digits; the tails complete it."""
    landline: str
    """The example of a fixed line without its last two digits."""
    languages: tuple[str, ...]
    tails: tuple[str, ...] = tuple(f"{number:03}" for number in range(1000))


def _two_digits(first: int = 0) -> tuple[str, ...]:
    return tuple(f"{number:02}" for number in range(first, 100))


_EN, _DE, _FR, _ES, _AR = ("en",), ("de",), ("fr",), ("es",), ("ar",)

PLANS: Final = (
    Plan("GB", "44", "0", "7400123", "12123456", _EN),
    # numbers set aside for fiction: Bundesnetzagentur (DE), PTS (SE), ACMA (AU), 555-0100 to 0199 (US, CA)
    Plan("DE", "49", "0", "17139200", "301234", _DE, _two_digits()),
    Plan("SE", "46", "0", "7017406", "81234", ("sv",), _two_digits(5)),
    Plan(
        "AU",
        "61",
        "0",
        "49157",
        "2123456",
        _EN,
        ("0006", "0156", "0157", "0158", "0159", "0110", "0313", "0737"),
    ),
    Plan("US", "1", "", "20155501", "21255501", ("en", "en", "es"), _two_digits()),
    Plan("CA", "1", "", "41655501", "51455501", ("en", "fr"), _two_digits()),
    Plan("FR", "33", "0", "612345", "1234567", _FR),
    Plan("ES", "34", "", "612345", "8101234", _ES),
    Plan("IT", "39", "", "3123456", "02123456", ("it",)),
    Plan("NL", "31", "0", "612345", "1012345", ("nl",)),
    Plan("BE", "32", "0", "450001", "123456", ("nl", "fr")),
    Plan("AT", "43", "0", "664123", "12345678", _DE),
    Plan("CH", "41", "0", "781234", "2123456", ("de", "fr", "it")),
    Plan("NO", "47", "", "40612", "212345", ("no",)),
    Plan("DK", "45", "", "34412", "321234", ("da",)),
    Plan("FI", "358", "0", "412345", "1312345", ("fi",)),
    Plan("IE", "353", "0", "850123", "22123", _EN),
    Plan("PT", "351", "", "912345", "2123456", ("pt",)),
    Plan("PL", "48", "", "512345", "1234567", ("pl",)),
    Plan("CZ", "420", "", "601123", "2123456", ("cs",)),
    Plan("HU", "36", "06", "201234", "123456", ("hu",)),
    Plan("RO", "40", "0", "712034", "2112345", ("ro",)),
    Plan("GR", "30", "", "6912345", "21234567", ("el",)),
    Plan("UA", "380", "0", "501234", "3112345", ("uk",)),
    Plan("KZ", "7", "8", "7710009", "71234567", ("ru",)),
    Plan("TR", "90", "0", "5012345", "21234567", ("tr",)),
    Plan("IL", "972", "0", "502345", "212345", ("he",)),
    Plan("EG", "20", "0", "1001234", "2345678", _AR),
    Plan("MA", "212", "0", "650123", "5201234", ("fr", "ar")),
    Plan("TN", "216", "", "20123", "300101", ("ar", "fr")),
    Plan("SA", "966", "0", "512345", "1123456", _AR),
    Plan("AE", "971", "0", "501234", "223456", ("ar", "en")),
    Plan("QA", "974", "", "33123", "441234", ("ar", "en")),
    Plan("JO", "962", "0", "790123", "620012", _AR),
    Plan("PK", "92", "0", "3012345", "21234567", _EN),
    Plan("IN", "91", "0", "8123456", "74104101", ("en", "hi")),
    Plan("BD", "880", "0", "1812345", "271112", _EN),
    Plan("LK", "94", "0", "712345", "1123456", _EN),
    Plan("TH", "66", "0", "812345", "212345", ("th",)),
    Plan("VN", "84", "0", "912345", "21012345", ("vi",)),
    Plan("MY", "60", "0", "123456", "3238567", _EN),
    Plan("SG", "65", "", "81234", "612345", ("en", "zh")),
    Plan("PH", "63", "0", "9051234", "2323456", _EN),
    Plan("ID", "62", "0", "812345", "2183501", ("id",)),
    Plan("JP", "81", "0", "9012345", "3123456", ("ja",)),
    Plan("KR", "82", "0", "1020000", "221234", ("ko",)),
    Plan("CN", "86", "0", "13123456", "10123456", ("zh",)),
    Plan("HK", "852", "", "51234", "212345", ("zh", "en")),
    Plan("TW", "886", "0", "912345", "2212345", ("zh",)),
    Plan("NZ", "64", "0", "211234", "323456", _EN),
    Plan("ZA", "27", "0", "711234", "1012345", _EN),
    Plan("NG", "234", "0", "8021234", "20331234", _EN),
    Plan("KE", "254", "0", "712123", "2020123", ("sw", "en")),
    Plan("GH", "233", "0", "231234", "3023456", _EN),
    Plan("TZ", "255", "0", "621234", "2223456", ("sw",)),
    Plan("SN", "221", "", "701234", "3010123", _FR),
    Plan("CI", "225", "", "0123456", "21234567", _FR),
    Plan("MX", "52", "", "2221234", "20012345", _ES),
    Plan("BR", "55", "0", "11961234", "11234567", ("pt",)),
    Plan("CO", "57", "", "3211234", "60123456", _ES),
    Plan("PE", "51", "0", "912345", "112345", _ES),
)

WESTERN: Final = ("DE", "DE", "DE", "AT", "CH", "FR", "ES", "IT", "NL", "BE", "PT", "SE", "DK", "GB")
"""Countries of the second list: their languages fit Windows-1252.  Mostly German, as one shop's list would be."""

NAMES: Final = {
    "en": (
        "Ada Amos Bella Clive Daisy Efua Grace Idris Kofi Lola Neve Owen Rhys Zoë",
        "Ashby Brook Fenn Marlow Okoro",
    ),
    "de": ("Anke Bärbel Gerd Heidi Jörg Käthe Lutz Sönke Uwe Wiebke", "Groß Hölzl Jäger Kühn Quast Straß"),
    "fr": ("Aïcha Benoît Chloé Élodie François Gaëlle Loïc Mamadou", "Brûlé Delorme Lefèvre N'Diaye Noël"),
    "es": ("Begoña Iñaki Jesús Lucía Martín Nuria Pía Ximena", "Ibáñez Muñoz Peña Quirós Zúñiga"),
    "it": ("Beppe Chiara Ettore Giosuè Niccolò Ornella", "Bianchini D'Angeli Forlì Morò"),
    "nl": ("Anouk Bram Fenna Joris Noëlle Sjoerd", "de Wit Kuiper van Dijk"),
    "sv": ("Åsa Björn Göran Märta Örjan", "Åkesson Lindqvist Öberg"),
    "no": ("Bjørg Håkon Ingrid Øystein", "Bråten Haugland Sæther"),
    "da": ("Bjarke Jørgen Kirstine Søren", "Kjær Nørgaard Østergaard"),
    "fi": ("Aino Jyrki Päivi Väinö", "Hämäläinen Mäki Virtanen"),
    "pt": ("Conceição Inês João Lourenço Sebastião", "Brandão Gonçalves Magalhães"),
    "pl": ("Błażej Grażyna Łucja Stanisław Żaneta", "Dąbek Śliwa Wójcik Żak"),
    "cs": ("Božena Jiří Ondřej Růžena Šárka", "Dvořáček Říha Žižka"),
    "hu": ("Ágnes Géza Győző Zsófia", "Kőszegi Szűcs Tóth"),
    "ro": ("Ștefania Andreea Mădălin Țeno", "Brâncuș Ionașcu Țurcan"),
    "el": ("Αθηνά Γιάννης Ειρήνη Σπύρος", "Δελής Ξένος Παππάς"),
    "uk": ("Богдан Їлія Оксана Ярина", "Грищук Коваль Шевчук"),
    "ru": ("Айгуль Борис Ержан Наталья", "Иванчук Сергеева Ким"),
    "tr": ("Çağla Gökhan Işıl Ömer Şule", "Çelik Öztürk Yıldız"),
    "he": ("אביגיל דניאל יעל נועם", "ברק לוי שגב"),
    "ar": ("أمل خالد ريم سامي ليلى", "الحداد الزين منصور"),
    "hi": ("अंजलि दीपक मीरा रोहन", "जोशी मेहरा वर्मा"),
    "th": ("กานต์ นภา ปรีชา มาลี", "ใจดี สุขสม"),
    "vi": ("Đức Hằng Quỳnh Tuấn", "Đặng Nguyễn Trần"),
    "zh": ("小明 美玲 志强 雅婷", "陈 李 王 黃"),
    "ja": ("さくら 健太 美咲 ユウ", "佐藤 高橋 渡辺"),
    "ko": ("민준 서연 지우 하늘", "강 박 윤"),
    "id": ("Budi Dewi Rina Yusuf", "Hartono Santoso Wijaya"),
    "sw": ("Amani Baraka Neema Zawadi", "Juma Mwangi Otieno"),
}
"""Given and family names by language, invented in all their pairs."""

NICKNAMES: Final = ("Sunny ☀️", "🦊 Fox", "Max 🎸", "Mia 🌸🌸", "👩🏽‍🔬 Doc", "🇧🇷 Zé")

TEXTS: Final = {
    "en": (
        "Hi {name}, a reminder of your appointment on {day} at {hour}. Reply C to cancel.",
        "{code} is your sign-in code. Do not share it with anyone.",
        "{name}, this week only: {percent}% off everything with code SAVE{percent}. Reply STOP to opt out.",
        "Your parcel {ref} is out for delivery and will arrive {day} before {hour}.",
    ),
    "de": (
        "Hallo {name}, wir erinnern an Ihren Termin am {day} um {hour} Uhr. Absage bitte unter dieser Nummer.",
        "Ihr Code lautet {code}. Geben Sie ihn nicht weiter.",
        "Nur für Sie, {name}: {percent} % Rabatt bis {day}. Abmelden mit STOPP.",
        "Ihr Paket {ref} kommt am {day} gegen {hour} Uhr. Schöne Grüße!",
    ),
    "fr": (
        "Bonjour {name}, nous vous rappelons votre rendez-vous du {day} à {hour}.",
        "Votre code de sécurité est {code}. Ne le communiquez à personne.",
        "{name}, profitez de -{percent}% jusqu'au {day} ! STOP pour ne plus recevoir nos offres.",
        "Votre colis {ref} sera livré le {day} avant {hour}. À bientôt !",
    ),
    "es": (
        "Hola {name}, le recordamos su cita el {day} a las {hour}.",
        "{code} es su código de verificación. No lo comparta.",
        "¡{name}, {percent}% de descuento solo hasta el {day}! Responda BAJA para no recibir más.",
        "Su pedido {ref} llegará mañana antes de las {hour}.",
    ),
    "it": (
        "Ciao {name}, ti ricordiamo l'appuntamento del {day} alle {hour}.",
        "{code} è il tuo codice di accesso. Non comunicarlo a nessuno.",
        "{name}, sconto del {percent}% fino al {day}. La qualità non aspetta!",
    ),
    "nl": (
        "Beste {name}, wij verwachten u op {day} om {hour} uur.",
        "Uw code is {code}. Deel deze met niemand.",
        "Alleen deze week {percent}% korting, {name}! Afmelden? Antwoord STOP.",
    ),
    "sv": (
        "Hej {name}! Påminnelse om din tid {day} kl. {hour}.",
        "Din kod är {code}. Dela den inte med någon.",
    ),
    "no": (
        "Hei {name}, vi minner om timen din {day} kl. {hour}.",
        "Koden din er {code}. Ikke del den med noen.",
    ),
    "da": ("Hej {name}, husk din tid {day} kl. {hour}.", "Din kode er {code}. Del den ikke med nogen."),
    "fi": ("Hei {name}, muistathan aikasi {day} klo {hour}.", "Koodisi on {code}. Älä kerro sitä muille."),
    "pt": (
        "Olá {name}, lembramos a sua consulta no dia {day} às {hour}.",
        "{code} é o seu código de confirmação. Não o partilhe.",
        "Promoção para você, {name}: {percent}% de desconto até {day}!",
    ),
    "pl": (
        "Dzień dobry {name}, przypominamy o wizycie {day} o {hour}.",
        "Twój kod to {code}. Nikomu go nie podawaj.",
    ),
    "cs": (
        "Dobrý den {name}, připomínáme návštěvu {day} v {hour}.",
        "Váš kód je {code}. Nikomu jej nesdělujte.",
    ),
    "hu": (
        "Kedves {name}, várjuk Önt {day} napján {hour} órakor.",
        "Az Ön kódja: {code}. Ne ossza meg senkivel.",
    ),
    "ro": (
        "Bună {name}, vă așteptăm în {day} la ora {hour}.",
        "Codul dumneavoastră este {code}. Nu îl divulgați.",
    ),
    "el": ("Γεια σου {name}, σε περιμένουμε στις {day}, ώρα {hour}.", "Ο κωδικός σας είναι {code}."),
    "uk": (
        "Вітаємо, {name}! Нагадуємо про візит {day} о {hour}.",
        "Ваш код {code}. Нікому його не повідомляйте.",
    ),
    "ru": ("Здравствуйте, {name}! Ждём вас {day} в {hour}.", "Ваш код {code}. Никому его не сообщайте."),
    "tr": (
        "Sayın {name}, {day} günü saat {hour} randevunuzu hatırlatırız.",
        "Giriş şifreniz {code}. Kimseyle paylaşmayın.",
    ),
    "he": ("שלום {name}, תזכורת לתור בתאריך {day} בשעה {hour}.", "קוד הכניסה שלך הוא {code}."),
    "ar": (
        "مرحبا {name}، نذكركم بموعدكم يوم {day} الساعة {hour}.",
        "رمز التحقق الخاص بك هو {code}. لا تشاركه مع أحد.",
    ),
    "hi": ("नमस्ते {name}, {day} को {hour} बजे आपका अपॉइंटमेंट है।", "आपका कोड {code} है। इसे किसी को न बताएं।"),
    "th": ("สวัสดีคุณ {name} นัดหมายของคุณคือวันที่ {day} เวลา {hour}", "รหัสของคุณคือ {code} อย่าบอกใคร"),
    "vi": ("Xin chào {name}, lịch hẹn của bạn là {day} lúc {hour}.", "Mã xác nhận của bạn là {code}."),
    "zh": (
        "{name}您好，提醒您{day} {hour}的预约。",
        "您的验证码是{code}，请勿告诉他人。",
        "{name}，本周全场优惠{percent}%！",
    ),
    "ja": (
        "{name}様、{day} {hour}のご予約をお知らせします。",
        "認証コードは{code}です。他人に教えないでください。",
    ),
    "ko": (
        "{name}님, {day} {hour} 예약을 알려 드립니다.",
        "인증번호는 {code}입니다. 타인에게 알려주지 마세요.",
    ),
    "id": (
        "Halo {name}, kami ingatkan janji Anda pada {day} pukul {hour}.",
        "Kode Anda {code}. Jangan beri tahu siapa pun.",
    ),
    "sw": (
        "Habari {name}, tunakukumbusha miadi yako {day} saa {hour}.",
        "Namba yako ya siri ni {code}. Usimpe mtu yeyote.",
    ),
}
"""Texts by language; the braces are filled in."""

SPECIAL_TEXTS: Final = (
    'Hi {name}, your "early bird" ticket {ref} is ready. Show it at the "East" gate.',
    "Dear {name},\nyour order {ref} is packed.\nSee you on {day}!",
    "{name}, menu for {day}: [soup] {{pasta}} ~ {percent}€ \\ tea | cake ^_^",
    "Happy birthday {name} 🎉🎂 here is {percent}% for you 🎁 code PARTY{percent}",
    '; , | "{code}" is your code, {name}; it is good until {hour}',
    "Rain or shine ☔☀️, {name}: we open {day} at {hour} 👍🏽",
)
"""Texts that strain a reader of lists or the alphabets of SMS."""

WESTERN_SPECIAL_TEXTS: Final = (
    'Hallo {name}, Ihre Karte "Frühbucher" {ref} liegt bereit; Einlass {hour} Uhr.',
    "Guten Tag {name},\nIhre Bestellung {ref} ist gepackt.\nBis {day}!",
    "{name}: [Menü] {{Pasta}} ~ {percent} € \\ Tee | Kuchen ^^",
    "Très chère {name} – l’été arrive… œufs à {percent} € «chez nous»",
)
