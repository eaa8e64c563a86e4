/** A table as rows of cells; the first row is the head. */
export type Table = readonly (readonly string[])[];

/** A table as lines for a terminal: cells to the left of their column, or, from the second column on, figures to the right. */
export function columns(table: Table, figures: 'left' | 'right' = 'left'): string[] {
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const place = (cell: string, column: number) =>
    figures === 'right' && column > 0 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
  return table.map((row) => row.map(place).join('  ').trimEnd());
}
