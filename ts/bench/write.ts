import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importPeer, peerProblem } from '../peers.js';
import { svgFile } from '../report/svg.js';
import { OutputFile, unwritable } from '../video/output-file.js';
import { OutputFolder } from '../video/output-folder.js';
import type { BenchComparison } from './compare.js';
import { benchPage } from './page.js';
import { benchPlots } from './plots.js';
import type { BenchReport } from './report.js';

/** Twice the size on paper, so that PNGs are sharp on dense screens. */
const PNG_DENSITY = 144;
const isPlot = (name: string): boolean => /^(time|memory|start|video|speed)[\w-]*\.(svg|png)$/.test(name);

/** The files of a report: claimed before anything is measured, complete or not there. */
export class BenchFiles {
  readonly #page: OutputFile | undefined;
  readonly #plots: OutputFolder | undefined;

  private constructor(page: OutputFile | undefined, plots: OutputFolder | undefined) {
    this.#page = page;
    this.#plots = plots;
  }

  /** @throws FlavrError `OUTPUT_EXISTS` unless `overwrite`; `VIDEO_UNWRITABLE`. */
  static async create(
    paths: { html?: string | undefined; plots?: string | undefined },
    overwrite: boolean,
  ): Promise<BenchFiles> {
    const page = paths.html === undefined ? undefined : await OutputFile.create(paths.html, overwrite);
    try {
      return new BenchFiles(
        page,
        paths.plots === undefined ? undefined : await OutputFolder.create(paths.plots, overwrite, isPlot),
      );
    } catch (error) {
      await page?.discard();
      throw error;
    }
  }

  async write(report: BenchReport, comparison: BenchComparison | undefined): Promise<void> {
    if (this.#page) {
      const { path, temporary } = this.#page;
      await writeFile(temporary, benchPage(report, comparison)).catch((error) => {
        throw unwritable(path, error);
      });
      await this.#page.commit();
    }
    if (this.#plots) {
      const { path, temporary } = this.#plots;
      await writePlots(report, temporary).catch((error) => {
        throw unwritable(path, error);
      });
      await this.#plots.commit();
    }
  }

  /** Removes what was not written. */
  async discard(): Promise<void> {
    await Promise.all([this.#page?.discard(), this.#plots?.discard()]);
  }
}

/** Each plot as SVG, and as PNG where sharp is installed. */
async function writePlots(report: BenchReport, folder: string): Promise<void> {
  const sharp = peerProblem('sharp') === undefined ? (await importPeer('sharp')).default : undefined;
  for (const { name, svg } of benchPlots(report)) {
    const file = svgFile(svg);
    await writeFile(join(folder, `${name}.svg`), file);
    await sharp?.(Buffer.from(file), { density: PNG_DENSITY })
      .png()
      .toFile(join(folder, `${name}.png`));
  }
}
