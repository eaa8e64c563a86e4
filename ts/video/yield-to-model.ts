import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

/**
 * Puts every thread of this program but the JavaScript one, so those that decode, convert and encode, behind the process
 * that runs the model on the CPU. The model's threads wait for one another all the time: whatever takes one's core for a
 * while holds all of them up, while decoding and encoding fit into the moments in which one of them has nothing to do.
 * Threads started later have the priority of those that start them. Without effect where only whole processes have
 * priorities, which is everywhere but on Linux.
 */
export function yieldToModel(): void {
  if (process.platform !== 'linux') return;
  for (const thread of readdirSync('/proc/self/task').map(Number)) {
    // The first thread, which has the number of the process, also hands the model its frames.
    if (thread === process.pid) continue;
    try {
      // The lowest: what they need in all is so little that any higher one would give it to them at once.
      setPriority(thread, constants.priority.PRIORITY_LOW);
    } catch {
      // It ended meanwhile.
    }
  }
}
