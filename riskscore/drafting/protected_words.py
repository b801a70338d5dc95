"""Words of column names and values that tell of protected characteristics, without accents and in lower case.

English, German, French, Spanish, Italian, Portuguese, Dutch, Polish. After 12 CFR 1002 (ECOA) and directive 2000/43/EC
and its kin; postcodes and names are proxies: they don't say it, and let it be guessed.
"""

from __future__ import annotations

AGE, SEX, MARITAL, ORIGIN = "age", "sex", "marital status", "origin, nationality or ethnicity"
RELIGION, DISABILITY, POSTCODE, NAME = "religion", "disability", "postcode", "name"
PROXIES = (POSTCODE, NAME)

# Found anywhere in a name once its words are joined: long enough to be nothing else.
STEMS = {
    AGE: "birth geburt naissance nascita nascimento nacimiento geboorte urodz fechanac datenaiss datanasc"
    " lebensalter seniorcitizen kundenalter altersgruppe altersklasse leeftijd gebdat yearsold",
    SEX: "gender geschlecht geslacht salutation civilite pregnan schwanger maidenname pronoun",
    MARITAL: "marital marriage familienstand zivilstand civilstat estadocivil etatcivil statocivile"
    " burgerlijkestaat stancywilny famstand burgstaat situationfamiliale situationmatrimoniale"
    " familystatus personalstatus verheiratet matrimoni",
    ORIGIN: "nationalit nacionalidad nazionalit nationaliteit narodowosc obywatelstwo nationalorigin"
    " countryoforigin citizenship ethni etnia etnic paisdeorigen paysorigine paysdorigine staatsangeh"
    " staatsbuerg staatsburg cittadinanza herkunftsland migrationshint foreignworker immigrant"
    " nativecountry minority mothertongue muttersprache nativelanguage birthcountry countryofbirth",
    RELIGION: "religio konfession kirchensteuer godsdienst wyznanie churchtax religia religiao",
    DISABILITY: "disabilit behinder discapacidad handicap invalidita invalidite niepelnospraw deficiencia",
    POSTCODE: "zipcode postcode postalcode postleitzahl codepostal codigopostal codicepostale kodpocztowy"
    " censustract postalzip kodpoczt capresidenza zippostal",
    NAME: "firstname givenname forename vorname prenom voornaam lastname surname nachname familyname familienname"
    " achternaam nazwisko cognome apellido sobrenome primeironome nombredepila primernombre fullname",
}
# Whole words of a name.
WORDS = {
    AGE: "age ages dob yob born alter edad idade eta wiek alder geboren agegroup agerange ageband agebracket"
    " agebucket agecategory ageyears ageinyears customerage custage clientage applicantage borrowerage ageyrs",
    SEX: "sex sexe sexo sesso genre genero genere plec male female masculino feminino femenino weiblich maennlich"
    " geschl mannlich femme homme mujer hombre mulher homem donna uomo vrouw kobieta anrede sexual",
    MARITAL: "married divorced widowed husband wife widow unmarried civilstand",
    ORIGIN: "race racial raza raca razza ras rasa rasse herkunft herkomst afkomst staatsang pochodzenie foreigner"
    " citizen citizens auslaender auslander",
    RELIGION: "church faith",
    DISABILITY: "disabled invalidez deficiente pcd beperking",
    POSTCODE: "zip plz postal cep pocztowy",
    NAME: "imie",
}
# Words that are a person's name alone, or beside a word for a person: French counts things by nombre.
NAMES = "name names nom nombre nome naam nazwa"
PEOPLE = (
    "customer client applicant borrower person people holder user member owner debtor guarantor spouse employee"
    " consumer cardholder kunde kunden antragsteller kreditnehmer person cliente solicitante titular prestatario"
    " client emprunteur demandeur richiedente debitore requerente mutuario klant aanvrager klient klienta"
    " kredytobiorca"
)
# What an age may be of, a zip or a disabled one, beside people.
THINGS = (
    "account accounts acct accts loan loans credit credits card cards file files archive vehicle car cars auto"
    " house home property building company business firm organisation organization merchant document device"
    " relationship membership contract policy record records history bureau trade trades tradeline tradelines line"
    " lines debt debts invoice inquiry inquiries email phone address residence job employment feature option asset"
    " product customership collateral transaction transactions payment payments balance mortgage facility"
    " receivable receivables konto kontos konten kredit kredits kredite vertrag vertrags vertrages fahrzeug"
    " fahrzeugs gebaeude firma unternehmen cuenta cuentas prestamo prestamos credito creditos vehiculo contrato"
    " empresa compte comptes pret prets vehicule contrat entreprise conto conti prestito veicolo contratto azienda"
    " conta contas emprestimo veiculo rekening lening krediet voertuig bedrijf rachunku konta kredytu pojazdu"
    " samochodu umowy firmy log page session cookie cache app domain subscription wallet sim tenure vintage mob"
    " equipment order ticket stock image dosage machine engine battery server website site listing case claim"
    " deposit savings tenancy lease rental campaign item sku inventory arrears delinquency charge"
    " chargeoff service portfolio fund pool bond note security token passport license licence acc cc tl trd"
    " revolver revolving installment instalment inq mtg heloc model"
)
# Between an age and what it is of, or before both.
FILLERS = (
    "of the a an in avg average mean median max maximum min minimum oldest newest youngest first last current"
    " total all open active months month days day years year de la le les du des del el los las der die das do da"
    " dos das della dello delle di van het een"
)

# Values. A column holds nothing else, and at least two of these.
SEX_PAIRS = (
    *("m f", "m w", "male female", "man woman", "men women", "mann frau", "herr frau", "maennlich weiblich"),
    *("mannlich weiblich", "homme femme", "hombre mujer", "masculino femenino", "masculino feminino", "uomo donna"),
    *("maschio femmina", "homem mulher", "mezczyzna kobieta", "masculin feminin", "mr mrs", "mr ms", "boy girl"),
    *("monsieur madame", "senor senora", "man vrouw"),
)
SEX_ALSO = "x d u o divers diverse other unknown nonbinary undisclosed ms mrs miss mrs dr prof unspecified"
SEX_WITHIN = ("male", "female")  # male single, female div/sep
MARITAL_VALUES = (
    "husband wife notinfamily ownchild otherrelative married single divorced widowed separated unmarried"
    " cohabiting partnered widow widower civilunion nevermarried verheiratet ledig geschieden verwitwet getrennt"
    " casado casada soltero soltera divorciado divorciada viudo viuda solteiro solteira viuvo viuva marie mariee"
    " celibataire divorce divorcee veuf veuve pacse sposato sposata celibe nubile divorziato divorziata vedovo"
    " vedova gehuwd ongehuwd gescheiden weduwe weduwnaar alleenstaand zonaty zamezna kawaler panna rozwiedziony"
    " rozwiedziona wdowiec wdowa"
)
MARITAL_SURE = (
    "husband wife married divorced widowed verheiratet geschieden casado casada divorciado divorciada marie"
    " mariee celibataire sposato sposata gehuwd gescheiden zonaty zamezna"
)
ORIGIN_SURE = "asian hispanic latino latina caucasian africanamerican blackafrican nativeamerican pacificislander"
ORIGIN_VALUES = (
    f"{ORIGIN_SURE} white black other mixed indian arab african european native unknown amerindian aboriginal"
    " multiracial twoormoreraces whiteblack americanindian alaskanative"
)
RELIGION_VALUES = (
    "catholic protestant christian muslim islam jewish hindu buddhist sikh atheist orthodox none other"
    " romancatholic katholisch evangelisch muslimisch judisch juedisch konfessionslos catholique musulman catolico"
    " evangelico"
)
RELIGION_SURE = "catholic protestant muslim jewish hindu buddhist sikh katholisch evangelisch catholique catolico"
