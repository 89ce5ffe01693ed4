//! Columns for a terminal: as wide as what stands in them, two spaces apart.

/// The table as text, a line a row, without spaces at the ends of lines.
pub(crate) fn draw<const N: usize>(titles: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = titles.map(|title| title.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = line(titles, &widths);
    for row in rows {
        out += &line(row.each_ref().map(String::as_str), &widths);
    }
    out
}

fn line<const N: usize>(cells: [&str; N], widths: &[usize; N]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    let line = padded.collect::<Vec<_>>().join("  ");
    format!("{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let table = draw(["ID", "HOST"], &[row("1", "a"), row("1000", "ä.example")]);
        assert_eq!(table, "ID    HOST\n1     a\n1000  ä.example\n");
        assert_eq!(draw(["A", "B"], &[row("1", "")]), "A  B\n1\n");
    }
}
