// The simulator's page: buttons that do what hands would do.
const said = document.getElementById('said');
const by = id => document.getElementById(id);

async function post(what, fields, words) {
  try {
    const answer = await fetch('/simulator/' + what, { method: 'POST', body: new URLSearchParams(fields) });
    said.textContent = answer.ok ? words : await answer.text();
  } catch {
    said.textContent = what === 'plug' ? 'The plug was pulled; the desk starts again.' : 'The desk does not answer.';
  }
  refresh();
}

const make = (name, text, look = '') => Object.assign(document.createElement(name), { textContent: text, className: look });

function button(text, look, press) {
  const b = make('button', text, look);
  b.addEventListener('click', press);
  return b;
}

const scan = (thing, scanner, where) => post('scan', { scanner, code: thing.Code }, `${thing.Name}: scanned ${where}.`);

function card(thing, isBook) {
  const li = make('li', '');
  li.dataset.code = thing.Code;
  const row = make('div', '', 'row');
  row.append(button('Scan', '', () => scan(thing, 'desk', 'at the desk')));
  if (isBook) row.append(button('Return slot', 'other', () => scan(thing, 'slot', 'in the return slot')));
  if (!isBook) row.append(button('Hold card to the reader', 'other', () => post('card', { code: thing.Code }, `${thing.Name}: the card is at the reader.`)));
  if (isBook && thing.Code in state.Tags) {
    const lay = button('', 'other', () => post('pad', { code: thing.Code, on: !state.Tags[thing.Code].Lies }, `${thing.Name}: the pad.`));
    lay.dataset.pad = thing.Code;
    row.append(lay);
  }
  li.append(make('b', thing.Name), make('small', thing.What), make('code', thing.Code), make('small', thing.Story), row);
  return li;
}

function unplugger({ Name }) {
  const is = () => state.Scanners.find(s => s.Name === Name).In;
  const b = button('', 'other', () => post('scanner', { scanner: Name, in: !is() }, is() ? 'Unplugged.' : 'Plugged in.'));
  b.dataset.scanner = Name;
  return b;
}

let state = null;

function draw(now) {
  const first = !state;
  state = now;
  if (first) {
    by('people').replaceChildren(...now.People.map(p => card(p, false)));
    by('books').replaceChildren(...now.Books.map(b => card(b, true)));
    by('scanners').replaceChildren(...now.Scanners.map(unplugger));
  }
  for (const lay of document.querySelectorAll('[data-pad]')) {
    const { Lies, Alarms } = now.Tags[lay.dataset.pad];
    lay.textContent = Lies ? 'Take off the pad' : 'Lay on the pad';
    lay.title = Alarms ? 'The gate would alarm' : 'The gate stays silent';
    lay.classList.toggle('free', !Alarms);
  }
  for (const { Name, Label, In } of now.Scanners) {
    const b = document.querySelector(`[data-scanner=${Name}]`);
    b.textContent = (In ? 'Unplug the scanner: ' : 'Plug in the scanner: ') + Label;
  }
  by('library').textContent = now.Library ? 'Library system down' : 'Library system up again';
  by('library').className = 'other';
  by('plug').className = 'danger';
}

async function refresh() {
  try {
    draw(await (await fetch('/simulator/state')).json());
  } catch {
    // The desk is starting; the next look comes in a second.
  }
}

by('library').addEventListener('click', () => post('library', { up: !state.Library },
  state.Library ? 'The library system is down. Borrowing goes on; the queue grows.' : 'The library system is up. The queue drains.'));
by('plug').addEventListener('click', () => post('plug', {}, 'The plug was pulled; the desk starts again.'));
by('any').addEventListener('submit', event => {
  event.preventDefault();
  const code = new FormData(event.target).get('code');
  scan({ Name: code, Code: code }, 'desk', 'at the desk');
});
refresh();
setInterval(refresh, 1000);
