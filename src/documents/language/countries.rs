//! Names of countries that invoices go to and come from.
//! Owns their names; never which country anybody is in.

use crate::invoicing::Language;

/// Code, and the name in English, German and French. Any other country is shown by its code.
const COUNTRIES: [(&str, [&str; 3]); 51] = [
    ("AE", ["United Arab Emirates", "Vereinigte Arabische Emirate", "Émirats arabes unis"]),
    ("AT", ["Austria", "Österreich", "Autriche"]),
    ("AU", ["Australia", "Australien", "Australie"]),
    ("BE", ["Belgium", "Belgien", "Belgique"]),
    ("BG", ["Bulgaria", "Bulgarien", "Bulgarie"]),
    ("BR", ["Brazil", "Brasilien", "Brésil"]),
    ("CA", ["Canada", "Kanada", "Canada"]),
    ("CH", ["Switzerland", "Schweiz", "Suisse"]),
    ("CN", ["China", "China", "Chine"]),
    ("CY", ["Cyprus", "Zypern", "Chypre"]),
    ("CZ", ["Czechia", "Tschechien", "Tchéquie"]),
    ("DE", ["Germany", "Deutschland", "Allemagne"]),
    ("DK", ["Denmark", "Dänemark", "Danemark"]),
    ("EE", ["Estonia", "Estland", "Estonie"]),
    ("ES", ["Spain", "Spanien", "Espagne"]),
    ("FI", ["Finland", "Finnland", "Finlande"]),
    ("FR", ["France", "Frankreich", "France"]),
    ("GB", ["United Kingdom", "Vereinigtes Königreich", "Royaume-Uni"]),
    ("GR", ["Greece", "Griechenland", "Grèce"]),
    ("HR", ["Croatia", "Kroatien", "Croatie"]),
    ("HU", ["Hungary", "Ungarn", "Hongrie"]),
    ("IE", ["Ireland", "Irland", "Irlande"]),
    ("IL", ["Israel", "Israel", "Israël"]),
    ("IN", ["India", "Indien", "Inde"]),
    ("IS", ["Iceland", "Island", "Islande"]),
    ("IT", ["Italy", "Italien", "Italie"]),
    ("JP", ["Japan", "Japan", "Japon"]),
    ("KR", ["South Korea", "Südkorea", "Corée du Sud"]),
    ("LI", ["Liechtenstein", "Liechtenstein", "Liechtenstein"]),
    ("LT", ["Lithuania", "Litauen", "Lituanie"]),
    ("LU", ["Luxembourg", "Luxemburg", "Luxembourg"]),
    ("LV", ["Latvia", "Lettland", "Lettonie"]),
    ("MC", ["Monaco", "Monaco", "Monaco"]),
    ("MT", ["Malta", "Malta", "Malte"]),
    ("MX", ["Mexico", "Mexiko", "Mexique"]),
    ("NL", ["Netherlands", "Niederlande", "Pays-Bas"]),
    ("NO", ["Norway", "Norwegen", "Norvège"]),
    ("NZ", ["New Zealand", "Neuseeland", "Nouvelle-Zélande"]),
    ("PL", ["Poland", "Polen", "Pologne"]),
    ("PT", ["Portugal", "Portugal", "Portugal"]),
    ("RO", ["Romania", "Rumänien", "Roumanie"]),
    ("RS", ["Serbia", "Serbien", "Serbie"]),
    ("SE", ["Sweden", "Schweden", "Suède"]),
    ("SG", ["Singapore", "Singapur", "Singapour"]),
    ("SI", ["Slovenia", "Slowenien", "Slovénie"]),
    ("SK", ["Slovakia", "Slowakei", "Slovaquie"]),
    ("TR", ["Türkiye", "Türkei", "Turquie"]),
    ("UA", ["Ukraine", "Ukraine", "Ukraine"]),
    ("US", ["United States", "Vereinigte Staaten", "États-Unis"]),
    ("UY", ["Uruguay", "Uruguay", "Uruguay"]),
    ("ZA", ["South Africa", "Südafrika", "Afrique du Sud"]),
];

/// A country's name, or its code where we don't know it.
#[must_use]
pub fn country_name(code: &str, language: Language) -> &str {
    let found = COUNTRIES.binary_search_by_key(&code, |(code, _)| code);
    let position = match language {
        Language::English => 0,
        Language::German => 1,
        Language::French => 2,
    };
    found.map_or(code, |country| COUNTRIES[country].1[position])
}

#[cfg(test)]
mod tests {
    use super::{COUNTRIES, country_name};
    use crate::invoicing::Language;

    #[test]
    fn countries_are_found_and_others_keep_their_code() {
        assert!(COUNTRIES.is_sorted_by_key(|(code, _)| code));
        for (code, names) in COUNTRIES {
            assert_eq!(Language::ALL.map(|language| country_name(code, language)), names);
        }
        assert_eq!(country_name("AQ", Language::German), "AQ");
    }
}
