//! From text to the words of the index: lower case, without accents, singular and plural alike, small words left out.

/// Longest word, in characters; the rest is cut off on both sides of the search.
const MAX_WORD: usize = 32;
/// Words that every text has.
const SMALL: [&str; 32] = [
    "a", "al", "con", "de", "del", "desde", "e", "el", "en", "entre", "es", "hasta", "la", "las", "lo", "los", "mas",
    "muy", "ni", "o", "para", "por", "que", "se", "sin", "sobre", "su", "sus", "un", "una", "unas", "y",
];

/// Lower case without accents: `CERÁMICA de Úbeda` becomes `ceramica de ubeda`.
#[must_use]
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).filter_map(plain).collect()
}

/// The letter without its accent; `None` for an accent that stands alone, as in decomposed text.
fn plain(letter: char) -> Option<char> {
    Some(match letter {
        '\u{300}'..='\u{36f}' => return None,
        'á' | 'à' | 'â' | 'ä' | 'ã' | 'å' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'ö' | 'õ' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ñ' => 'n',
        'ç' => 'c',
        other => other,
    })
}

/// The words of a text, as the index knows them, in their order; repeats stay.
pub fn words(text: &str) -> impl Iterator<Item = String> {
    let folded = fold(text);
    let words: Vec<_> = folded
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty() && !SMALL.contains(word))
        .map(stem)
        .collect();
    words.into_iter()
}

/// Drops the plural's `s` and then an `e`, so that `aceite` and `aceites`, `panel` and `paneles` meet.
fn stem(word: &str) -> String {
    let long = |word: &&str| word.chars().count() >= 3;
    let word = word.strip_suffix('s').filter(long).unwrap_or(word);
    let word = word.strip_suffix('e').filter(long).unwrap_or(word);
    word.chars().take(MAX_WORD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(words(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn accents_case_and_plural_do_not_matter() {
        check("CERÁMICA de Úbeda", &["ceramica", "ubeda"]);
        check("cera\u{301}mica", &["ceramica"]);
        assert!(words("aceites").eq(words("Aceite")) && words("paneles").eq(words("panel")));
        assert!(words("cuencos pequeños").eq(words("Cuenco, pequeño")));
    }

    #[test]
    fn small_words_and_signs_are_left_out() {
        check("a la de en y", &[]);
        check("500 ml — «verde»", &["500", "ml", "verd"]);
        check(&"x".repeat(100), &[&"x".repeat(32)]);
    }
}
