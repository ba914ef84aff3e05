//! Lists in a message, cut where Slack would show no more, and said to be cut.

/// A title with its lines, no longer than `longest` characters. `lines`: those that may be told, of `of` that there are;
/// `more`: what is said of those that are left out.
pub(super) fn titled(
    title: &str,
    none: &str,
    lines: &[String],
    of: usize,
    longest: usize,
    more: impl Fn(usize) -> String,
) -> String {
    if of == 0 {
        return format!("*{title}*: {none}");
    }
    let mut text = format!("*{title}* ({of})");
    let head = text.chars().count();
    let length = |line: &String| line.chars().count() + "\n• ".chars().count();
    let whole: usize = head + lines.iter().map(length).sum::<usize>();
    // Room for what is said of the rest, where there is one.
    let last = if whole <= longest && lines.len() == of { 0 } else { more(of).chars().count() + 1 };
    let (mut used, mut told) = (head + last, 0);
    for line in lines {
        used += length(line);
        if used > longest {
            break;
        }
        text.push_str(&format!("\n• {line}"));
        told += 1;
    }
    if told < of {
        text.push_str(&format!("\n{}", more(of - told)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_where_it_is_too_long_and_says_so() {
        let more = |rest: usize| format!("… and {rest} more");
        let lines: Vec<String> = (0..9).map(|n| format!("line {n}")).collect();
        assert_eq!(titled("T", "none", &[], 0, 100, more), "*T*: none");
        let all = titled("T", "none", &lines, 9, 100, more);
        assert_eq!((all.lines().count(), all.chars().count()), (10, 88));
        assert_eq!(titled("T", "none", &lines, 9, 88, more), all, "what just fits is told");
        let cut = titled("T", "none", &lines, 9, 87, more);
        assert!(cut.ends_with("\n• line 6\n… and 2 more") && cut.chars().count() <= 87, "{cut}");
        let few = titled("T", "none", &lines[..2], 9, 100, more);
        assert_eq!(few, "*T* (9)\n• line 0\n• line 1\n… and 7 more");
        let none = titled("T", "none", &["x".repeat(100)], 1, 50, more);
        assert_eq!(none, "*T* (1)\n… and 1 more");
    }
}
