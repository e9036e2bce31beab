//! Aligned tables for people.

use std::io::{self, Write};

/// Writes `rows` under `head`, columns aligned. A cell's control characters are escaped: what is shown may come from
/// anybody, and must not drive the terminal.
pub(super) fn write<const N: usize>(out: &mut dyn Write, head: [&str; N], rows: &[[String; N]]) -> io::Result<()> {
    let rows: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))).collect();
    let mut widths = head.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    line(out, head, widths)?;
    rows.iter().try_for_each(|row| line(out, row.each_ref().map(String::as_str), widths))
}

fn line<const N: usize>(out: &mut dyn Write, cells: [&str; N], widths: [usize; N]) -> io::Result<()> {
    let mut text = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        text.push_str(&format!("{cell:width$}  "));
    }
    writeln!(out, "{}", text.trim_end())
}

/// `text` without control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
