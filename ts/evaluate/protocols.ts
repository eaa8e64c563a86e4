import { basename, dirname, join } from 'node:path';
import { clipsIn, exists, folders, framesIn, inside, invalidDataset, lines, mixedClips } from './listing.js';
import type { Protocol, Sample, SampleOptions } from './protocol.js';
import { everyGap, type Placement, place, wholeWindows } from './sampling.js';

const FLAVR = { psnr: 'flavr', ssim: 'matlab3d' } as const;
const ROUNDED = { psnr: 'rounded', ssim: 'uniform7' } as const;
const CAIN = { psnr: 'rounded80', ssim: 'matlab3d-rounded' } as const;

const vimeoSeptuplet: Protocol = {
  name: 'vimeo-septuplet',
  title: 'Vimeo-90K septuplet, 2x',
  factors: [2],
  preparation: { kind: 'none' },
  ...FLAVR,
  publishedCount: 7824,
  source: 'Xue et al., "Video Enhancement with Task-Oriented Flow"; inputs im1, im3, im5, im7, target im4 as in FLAVR',
  layout: 'sep_testlist.txt and sequences/00001/0266/im1.png … im7.png',
  async samples(folder, options) {
    const clips = await lines(folder, 'sep_testlist.txt', this.layout);
    return clips.map((clip) => {
      const home = inside(join(folder, 'sequences'), clip.trim());
      const frames = Array.from({ length: 7 }, (_, i) => join(home, `im${i + 1}.png`));
      return { ...place({ sequence: clip, frames, before: 2, stride: 2, ...options }), id: clip };
    });
  },
};

const ucf101: Protocol = {
  name: 'ucf101',
  title: 'UCF101 quintuplets of QVI, 2x',
  factors: [2],
  preparation: { kind: 'centre-crop', width: 224, height: 224 },
  ...FLAVR,
  source: 'Xu et al., "Quadratic Video Interpolation"; crop as in FLAVR',
  layout: 'one folder per sample with frame0.png, frame1.png, framet.png, frame2.png, frame3.png',
  async samples(folder, { inputs }) {
    const homes = await folders(folder, this.layout);
    // One without its true frame is a bad sample; all of them are another data set.
    const whole = await Promise.all(homes.map((home) => exists(join(home, 'framet.png'))));
    if (!whole.includes(true)) throw invalidDataset(folder, this.layout, 'no framet.png in any folder of it');
    return homes.map((home) => {
      const frames = [0, 1, 2, 3].map((i) => join(home, `frame${i}.png`));
      return aroundGap(basename(home), frames, 1, join(home, 'framet.png'), inputs);
    });
  },
};

const davis: Protocol = {
  name: 'davis',
  title: 'DAVIS, 2x',
  factors: [2],
  preparation: { kind: 'centre-crop', width: 840, height: 480 },
  ...FLAVR,
  publishedCount: 2847,
  source: 'Perazzi et al., DAVIS at 480p; frames t, t+2, t+4, t+6 give t+3, every second t, as in FLAVR',
  layout: 'one folder of frames per sequence (JPEGImages/480p)',
  async samples(folder, options) {
    return windowsOf(folder, this.layout, { stride: 2, step: 2, ...options });
  },
};

const gopro: Protocol = {
  name: 'gopro',
  title: 'GoPro',
  factors: [8, 2, 4, 16, 32],
  preparation: { kind: 'centre-crop', width: 512, height: 512 },
  ...FLAVR,
  source: 'Nah et al., GOPRO_Large_all test clips; 8x: 25 frames, inputs 1, 9, 17, 25, a window every 8, as in FLAVR',
  layout: 'test/GOPR0384_11_00/000001.png …: one folder of frames per sequence',
  async samples(folder, options) {
    const home = (await exists(join(folder, 'test'))) ? join(folder, 'test') : folder;
    return windowsOf(home, this.layout, { stride: options.factor, step: options.factor, ...options });
  },
};

const ADOBE = 'Su et al., "Deep Video Deblurring for Hand-held Cameras"; which clips is up to the folder';

const adobe240: Protocol = {
  ...gopro,
  name: 'adobe240',
  title: 'Adobe240',
  preparation: { kind: 'none' },
  source: `${ADOBE}; full frames`,
  layout: 'one folder of frames per sequence (240 frames per second)',
};

const adobe240Crop: Protocol = {
  ...adobe240,
  name: 'adobe240-512',
  title: 'Adobe240, cropped',
  preparation: gopro.preparation,
  source: `${ADOBE}; the crop of FLAVR's loader and of IFRNet`,
};

// The offset of the two middle inputs from the target, by level.
const SNU_LEVELS = { easy: 1, medium: 2, hard: 4, extreme: 8 } as const;
const LEVELS = Object.keys(SNU_LEVELS) as SnuLevel[];

type SnuLevel = keyof typeof SNU_LEVELS;

function snuFilm(level: SnuLevel): Protocol {
  const offset = SNU_LEVELS[level];
  return {
    name: `snu-film-${level}`,
    title: `SNU-FILM ${level}, 2x`,
    factors: [2],
    preparation: { kind: 'none' },
    ...CAIN,
    publishedCount: 310,
    source: 'Choi et al., "Channel Attention Is All You Need for Video Frame Interpolation" (CAIN), figures as there',
    layout: `test-${level}.txt and test/…/*.png`,
    twoFrame: true,
    async samples(folder, options) {
      const triplets = await lines(folder, `test-${level}.txt`, this.layout);
      const clips = new Map<string, string[]>();
      const samples: Sample[] = [];
      for (const triplet of triplets) {
        // The lists name files under the folder that their authors kept them in; what follows `test/` is ours.
        const names = triplet
          .trim()
          .split(/\s+/)
          .map((name) => name.replace(/^.*?(?=test\/)/, ''));
        if (names.length !== 3)
          throw invalidDataset(folder, `three files per line in test-${level}.txt`, `"${triplet}"`);
        const [middle, target] = [names[1]!, inside(folder, names[1]!)];
        const home = dirname(target);
        if (!clips.has(home)) clips.set(home, await framesIn(home, this.layout));
        const frames = clips.get(home)!;
        const at = frames.indexOf(target);
        if (names.some((name, i) => at < 0 || frames[at + (i - 1) * offset] !== inside(folder, name))) {
          throw invalidDataset(
            home,
            `the three files, ${offset} frames apart, of the line "${triplet}"`,
            'not all of them',
          );
        }
        const placement = { sequence: basename(home), frames, before: at - offset, stride: 2 * offset, ...options };
        samples.push({ ...place(placement), id: middle });
      }
      return samples;
    },
  };
}

/** Of the same lists, what FLAVR's loader takes: the windows all of whose frames the clip has, cropped. */
function snuFilmOfFlavr(level: SnuLevel): Protocol {
  const whole = snuFilm(level);
  const { publishedCount: _all, twoFrame: _two, ...rest } = whole;
  return {
    ...rest,
    name: `snu-film-flavr-${level}`,
    title: `SNU-FILM ${level} as FLAVR takes it, 2x`,
    preparation: { kind: 'centre-crop', width: 720, height: 720 },
    ...FLAVR,
    source: 'the lists of CAIN; only windows of four frames that the clip has, as in the loader of FLAVR',
    async samples(folder, options) {
      const samples = (await whole.samples(folder, options)).filter(({ repeated }) => repeated === 0);
      if (samples.length === 0) throw invalidDataset(folder, 'windows whose frames the clips have', 'none');
      return samples;
    },
  };
}

const middlebury: Protocol = {
  name: 'middlebury',
  title: 'Middlebury OTHER, 2x',
  factors: [2],
  preparation: { kind: 'none' },
  ...ROUNDED,
  interpolationError: true,
  publishedCount: 12,
  source: 'Baker et al., "A Database and Evaluation Methodology for Optical Flow"; interpolation error after rounding',
  layout: 'other-data/Beanbags/frame10.png, frame11.png … and other-gt-interp/Beanbags/frame10i11.png',
  twoFrame: true,
  async samples(folder, { inputs }) {
    const clips = await folders(join(folder, 'other-data'), this.layout);
    const samples: Sample[] = [];
    for (const home of clips) {
      const target = join(folder, 'other-gt-interp', basename(home), 'frame10i11.png');
      if (!(await exists(target))) continue;
      const frames = await framesIn(home, this.layout);
      const before = frames.indexOf(join(home, 'frame10.png'));
      if (before < 0 || frames[before + 1] !== join(home, 'frame11.png')) {
        throw invalidDataset(home, 'frame10.png and frame11.png', frames.map((path) => basename(path)).join(', '));
      }
      samples.push(aroundGap(basename(home), frames, before, target, inputs));
    }
    if (samples.length === 0) throw invalidDataset(join(folder, 'other-gt-interp'), this.layout, 'no true frames');
    return samples;
  },
};

function xiph(name: string, title: string, preparation: Protocol['preparation']): Protocol {
  return {
    name,
    title,
    factors: [2],
    preparation,
    ...ROUNDED,
    publishedCount: 392,
    source:
      'Niklaus and Liu, "Softmax Splatting for Video Frame Interpolation": 8 clips, frames 2, 4 … 98 of the first 100',
    layout: 'one folder of at least 99 frames (4096x2160) per clip, or BoxingPractice-001.png …, Crosswalk-001.png …',
    twoFrame: true,
    async samples(folder, options) {
      const homes = await folders(folder, this.layout).catch(() => undefined);
      const clips = homes ? await clipsIn(homes, this.layout) : await mixedClips(folder, this.layout);
      return clips.flatMap(({ sequence, frames }) => {
        if (frames.length < 99) throw invalidDataset(folder, this.layout, `${frames.length} frames of ${sequence}`);
        return everyGap({ sequence, frames: frames.slice(0, 100), stride: 2, ...options });
      });
    },
  };
}

const x4k: Protocol = {
  name: 'x4k1000fps',
  title: 'X4K1000FPS test, 8x',
  factors: [8],
  preparation: { kind: 'none' },
  psnr: 'rounded',
  ssim: 'uniform7-luma',
  publishedCount: 15,
  source: 'Sim et al., "XVFI: eXtreme Video Frame Interpolation": frames 0 and 32 give 4, 8 … 28',
  layout: 'test/Type1/TEST01_003_f0433/0000.png … 0032.png',
  twoFrame: true,
  async samples(folder, options) {
    const home = (await exists(join(folder, 'test'))) ? join(folder, 'test') : folder;
    const clips: string[] = [];
    for (const type of await folders(home, this.layout)) clips.push(...(await folders(type, this.layout)));
    return (await clipsIn(clips, this.layout)).map(({ sequence, frames }) => {
      if (frames.length < 33) throw invalidDataset(dirname(frames[0]!), this.layout, `${frames.length} frames`);
      return place({ sequence, frames: frames.slice(0, 33), before: 0, stride: 32, ...options });
    });
  },
};

/** All published protocols by name. */
export const PROTOCOLS: ReadonlyMap<string, Protocol> = new Map(
  [
    vimeoSeptuplet,
    ucf101,
    davis,
    gopro,
    adobe240,
    adobe240Crop,
    ...LEVELS.map(snuFilm),
    ...LEVELS.map(snuFilmOfFlavr),
    middlebury,
    xiph('xiph-2k', 'Xiph at 2K, 2x', { kind: 'halve' }),
    xiph('xiph-4k', 'Xiph "4K" (centre crop of 2048x1080), 2x', { kind: 'centre-crop', width: 2048, height: 1080 }),
    // Others measure it uncropped, which is easier by about 1.4 dB.
    xiph('xiph-4k-full', 'Xiph at full 4096x2160, 2x', { kind: 'none' }),
    x4k,
  ].map((protocol) => [protocol.name, protocol]),
);

/** A gap that has one true frame beside its clip; inputs past the clip's ends repeat the end. */
function aroundGap(sequence: string, frames: string[], before: number, target: string, inputs: number): Sample {
  const { inputs: taken, repeated } = place({ sequence, frames, before, stride: 1, inputs, factor: 1 });
  return { id: sequence, sequence, inputs: taken, targets: [target], repeated };
}

/** The whole windows of each clip in a folder; clips that are too short give none. */
async function windowsOf(
  folder: string,
  layout: string,
  windows: SampleOptions & Pick<Placement, 'stride'> & { readonly step: number },
): Promise<Sample[]> {
  const clips = await clipsIn(await folders(folder, layout), layout);
  const samples = clips.flatMap((clip) => wholeWindows({ ...windows, ...clip }));
  if (samples.length > 0) return samples;
  const needed = (windows.inputs - 1) * windows.stride + 1;
  const longest = Math.max(...clips.map(({ frames }) => frames.length));
  throw invalidDataset(folder, `clips of at least ${needed} frames (${layout})`, `at most ${longest} in one`);
}
