// What is heard: short tunes, none longer than 350 ms. A new one ends those that still sound.

// Each note: pitch in Hz (or from-to), length in ms, pause after it in ms.
const tunes = {
  ok: [[880, 90, 10], [1319, 150, 0]],
  hold: [[660, 80, 10], [880, 80, 10], [1100, 120, 0]],
  transfer: [[523, 90, 10], [784, 90, 10], [523, 120, 0]],
  repair: [[330, 110, 50], [330, 110, 0]],
  refused: [[[440, 294], 300, 0]],
  unknown: [[440, 60, 45], [440, 60, 45], [440, 60, 0]],
  duplicate: [[220, 60, 0]],
  tick: [[1000, 20, 0]],
  warn: [[587, 120, 40], [587, 120, 0]],
  bye: [[784, 90, 10], [659, 90, 10], [523, 140, 0]],
  press: [[1400, 15, 0]],
};
const buzzing = ['repair'];
const loud = 0.25;

const audio = new AudioContext();
let sounding = [];

// log tells the tests what would have been heard; they have no ears.
export const log = [];
globalThis.circdesk = { sounds: log };

// play sounds a tune. after puts it behind that many others of the same snapshot.
export function play(kind, after = 0) {
  const tune = tunes[kind];
  if (!tune) return;
  log.push(kind);
  log.splice(0, log.length - 2000);
  // A browser that wants a touch first would keep all tunes and then play them at once.
  if (audio.state !== 'running') {
    audio.resume();
    return;
  }
  if (after === 0) silence();
  let at = audio.currentTime + after * 0.35;
  for (const [pitch, length, rest] of tune) {
    note(pitch, at, length / 1000, buzzing.includes(kind) ? 'sawtooth' : 'sine');
    at += (length + rest) / 1000;
  }
}

function note(pitch, at, length, type) {
  const [from, to] = [pitch].flat();
  const tone = new OscillatorNode(audio, { type, frequency: from });
  const volume = new GainNode(audio, { gain: 0 });
  if (to) tone.frequency.linearRampToValueAtTime(to, at + length);
  const peak = type === 'sine' ? loud : loud / 3;
  volume.gain.setValueAtTime(0, at);
  volume.gain.linearRampToValueAtTime(peak, at + 0.005);
  volume.gain.setValueAtTime(peak, at + length - 0.01);
  volume.gain.linearRampToValueAtTime(0, at + length);
  tone.connect(volume).connect(audio.destination);
  tone.start(at);
  tone.stop(at + length);
  sounding.push(tone);
  tone.onended = () => { sounding = sounding.filter(t => t !== tone); };
}

function silence() {
  sounding.forEach(t => t.stop());
  sounding = [];
}
