import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { StageClock } from '../../ts/video/stage-clock.js';

test('a stage inside another stops the outer one until it is over', async () => {
  let now = 0;
  const work = async (ms: number) => {
    now += ms;
  };
  const clock = new StageClock<'outer' | 'inner'>(() => now);
  await clock.time('outer', async () => {
    await work(1);
    await clock.time('inner', () => work(20));
    await work(300);
  });
  now += 4000;
  clock.timeSync('inner', () => {
    now += 50_000;
  });
  assert.equal([clock.ms('outer'), clock.ms('inner')], [301, 50_020]);
});

test('time counts up to a failure and not beyond', async () => {
  let now = 0;
  const clock = new StageClock<'stage'>(() => now);
  const failed = clock.time('stage', async () => {
    now += 5;
    throw new Error('broken');
  });
  await failed.then(assert.unreachable, (error) => assert.is(error.message, 'broken'));
  now += 1000;
  assert.is(clock.ms('stage'), 5);
});

test.run();
