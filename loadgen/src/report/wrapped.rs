//! Texts of others in lines that fit a terminal.

/// The maximum number of characters of a line.
const WIDTH: usize = 80;

/// Breaks a text that begins after an indent at its spaces, and words that are longer than a line anywhere. Control
/// characters are shown as `�`, so that what a server said cannot move the cursor or change colours.
pub(super) fn wrapped(text: &str, indent: usize) -> String {
    let room = WIDTH.saturating_sub(indent).max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for piece in text.split_whitespace().flat_map(|word| pieces(word, room)) {
        let wanted = piece.chars().count();
        if length > 0 && length + 1 + wanted > room {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(&piece);
        length += wanted;
    }
    lines.push(line);
    lines.join(&format!("\n{:indent$}", ""))
}

/// A word without control characters, in parts that fit.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let printable: Vec<char> =
        word.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    printable.chunks(room).map(|part| part.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, wrapped};

    #[test]
    fn lines_break_at_spaces_behind_the_indent() {
        let text = "word ".repeat(40);
        let lines: Vec<String> = wrapped(&text, 10).lines().map(str::to_owned).collect();
        assert!(lines.len() == 3 && lines[1].starts_with("          word"), "{lines:?}");
        assert!(lines[1..].iter().all(|line| line.chars().count() <= WIDTH), "{lines:?}");
        assert_eq!(lines.join(" ").split_whitespace().count(), 40);
    }

    #[test]
    fn long_words_break_and_control_characters_are_shown() {
        let lines: Vec<String> = wrapped(&"é".repeat(150), 10).lines().map(|line| line.trim().to_owned()).collect();
        assert_eq!(lines.iter().map(|line| line.chars().count()).collect::<Vec<_>>(), [70, 70, 10]);
        assert_eq!(wrapped("a\x1b[31m\tb\u{7}", 0), "a\u{fffd}[31m b\u{fffd}");
        assert_eq!(wrapped("", 5), "");
    }
}
