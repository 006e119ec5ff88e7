#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small exhaustive checker of RISC-V litmus tests (RVWMO).

    tools/rvwmo.py [-v] FILE.litmus...      prints name and verdict: Never, Sometimes or Always

It reads the usual RISCV litmus text, enumerates every candidate execution, and keeps those that the axioms of the
unprivileged manual (chapter "RVWMO Memory Consistency Model") allow: preserved program order, rules 1 to 13; load
value; atomicity.  Beyond that text:

  (* io: msip *)    the location is a device register: accesses of it are device input and output, ordered with
                    memory by the bits i and o of a fence only; accesses of one register keep their order
  irq N,0(xR)       an interrupt is taken because the register reads N: a device input, which nothing else orders
  (* expect: V *)   the verdict that the test must have

One memory access an instruction, all of one size.  A path of more than PATH_LIMIT instructions is dropped.
"""
import itertools
import re
import sys

PATH_LIMIT = 40
MASK = (1 << 64) - 1
R, W, IO, AQ, RL, AMO, SC = 1, 2, 4, 8, 16, 32, 64
NONE = frozenset()


class Bad(Exception):
    """The text is no test that we can read."""


# ---- reading --------------------------------------------------------------------------------------------------------

ABI = {'zero': 0, 'ra': 1, 'sp': 2, 'gp': 3, 'tp': 4}
ABI.update({'t%d' % i: n for i, n in enumerate((5, 6, 7, 28, 29, 30, 31))})
ABI.update({'a%d' % i: 10 + i for i in range(8)})
ABI.update({'s%d' % i: n for i, n in enumerate((8, 9) + tuple(range(18, 28)))})


def reg_number(name):
    name = name.strip()
    if name in ABI:
        return ABI[name]
    m = re.match(r'^x(\d+)$', name)
    if not m:
        raise Bad('register ' + name)
    return int(m.group(1))


class Test:
    """name, expect, threads (lists of instructions; a label is a tuple), regs (of each thread), mem, cond."""

    def __init__(self, text):
        m = re.search(r'\(\*\s*expect:\s*(\w+)', text)
        self.expect = m.group(1) if m else None
        devices = []
        for m in re.finditer(r'\(\*\s*io:\s*([^*]*)\*\)', text):
            devices += m.group(1).replace(',', ' ').split()
        text = re.sub(r'\(\*.*?\*\)', '', text, flags=re.S)
        m = re.match(r'\s*RISCV\s+(\S+)\s*\{(.*?)\}(.*?)^\s*exists\s*(.*)', text, flags=re.S | re.M)
        if not m:
            raise Bad('no RISCV litmus test')
        self.name = m.group(1)
        self.places, self.mem = {}, {}
        self.read_program(m.group(3))
        self.read_init(m.group(2))
        self.io = {self.place(d) for d in devices}
        self.cond = self.condition(m.group(4))

    def place(self, name):
        return self.places.setdefault(name, 0x10000 + 0x1000 * len(self.places))

    def value(self, text):
        text = text.strip()
        return int(text, 0) & MASK if re.match(r'^-?[0-9]', text) else self.place(text.lstrip('&'))

    def read_program(self, text):
        rows = [[cell.strip() for cell in row.split('|')] for row in text.split(';') if row.strip()]
        n = len(rows[0])
        self.threads = [[] for _ in range(n)]
        self.regs = [{} for _ in range(n)]
        for row in rows[1:]:
            if len(row) != n:
                raise Bad('a row of another width: %r' % row)
            for thread, cell in zip(self.threads, row):
                m = re.match(r'(\w+):\s*(.*)', cell)
                if m:
                    thread.append((m.group(1),))
                    cell = m.group(2)
                if cell:
                    thread.append(cell)

    def read_init(self, text):
        for item in filter(None, (i.strip() for i in text.split(';'))):
            where, value = (x.strip() for x in item.split('='))
            if ':' in where:
                thread, reg = where.split(':')
                self.regs[int(thread)][reg_number(reg)] = self.value(value)
            else:
                self.mem[self.place(where)] = self.value(value)

    def condition(self, text):
        def atom(m):
            where, value = m.group(1), self.value(m.group(2))
            if ':' in where:
                thread, reg = where.split(':')
                return '(reg(%s, %d) == %d)' % (thread, reg_number(reg), value)
            return '(mem(%d) == %d)' % (self.place(where), value)

        text = re.sub(r'((?:\d+:)?[A-Za-z_]\w*)\s*=\s*(-?\w+)', atom, ' '.join(text.split()))
        text = text.replace('/\\', ' and ').replace('\\/', ' or ').replace('~', ' not ')
        return compile(text.strip(), 'condition', 'eval')


# ---- the paths of one thread ----------------------------------------------------------------------------------------

class Event:
    """A memory access.  adep, ddep, cdep: the events that its address, its data, and whether it happens depend on."""
    __slots__ = ('thread', 'index', 'kind', 'addr', 'read', 'written', 'adep', 'ddep', 'cdep', 'pair', 'text')


def arith(op, a, b):
    return MASK & {'add': a + b, 'sub': a - b, 'or': a | b, 'xor': a ^ b, 'and': a & b,
                   'sll': a << b, 'srl': a >> b}[op]


def amo(op, old, new):
    return {'swap': new, 'add': old + new, 'or': old | new, 'and': old & new}[op] & MASK


def split_order(op):
    """amoadd.d.aqrl -> amoadd.d, AQ | RL"""
    m = re.match(r'^(.*?)\.(aq|rl|aqrl)$', op)
    if not m:
        return op, 0
    return m.group(1), (AQ if 'aq' in m.group(2) else 0) | (RL if 'rl' in m.group(2) else 0)


class Walk:
    """Every path through a thread, where each read may return any value that anybody may write there."""

    def __init__(self, test, thread, values):
        self.test, self.thread, self.values = test, thread, values
        self.code = test.threads[thread]
        self.labels = {c[0]: i for i, c in enumerate(self.code) if isinstance(c, tuple)}
        self.paths = []
        self.step(0, {r: (v, NONE) for r, v in test.regs[thread].items()}, NONE, [], [], None, 0)

    def get(self, regs, name):
        return regs.get(reg_number(name), (0, NONE)) if reg_number(name) else (0, NONE)

    def put(self, regs, name, value, deps):
        return {**regs, reg_number(name): (value & MASK, deps)} if reg_number(name) else regs

    def address(self, regs, text):
        m = re.match(r'^(-?\w+)?\((\w+)\)$', text)
        if not m:
            raise Bad('address ' + text)
        base, deps = self.get(regs, m.group(2))
        return (base + int(m.group(1) or '0', 0)) & MASK, deps

    def event(self, events, text, kind, addr, adep, ddep, cdep):
        e = Event()
        e.thread, e.index, e.text = self.thread, len(events), text
        e.kind = kind | (IO if addr in self.test.io else 0)
        e.addr, e.adep, e.ddep, e.cdep = addr, adep, ddep, cdep
        e.read = e.written = e.pair = None
        return e

    def at(self, addr):
        return sorted(self.values.get(addr, {self.test.mem.get(addr, 0)}))

    def step(self, pc, regs, cdep, events, fences, reserved, count):
        while pc < len(self.code):
            text = self.code[pc]
            pc += 1
            if isinstance(text, tuple):
                continue
            count += 1
            if count > PATH_LIMIT:
                return
            op, _, rest = text.partition(' ')
            args = [a.strip() for a in rest.split(',')] if rest.strip() else []
            if op == 'fence.tso':
                fences = fences + [(len(events), None)]
            elif op == 'fence':
                fences = fences + [(len(events), tuple(args) if args else ('iorw', 'iorw'))]
            elif op in ('nop', 'fence.i'):
                pass
            elif op == 'li':
                regs = self.put(regs, args[0], int(args[1], 0), NONE)
            elif op == 'mv':
                regs = self.put(regs, args[0], *self.get(regs, args[1]))
            elif op in ('add', 'sub', 'or', 'xor', 'and'):
                (a, d), (b, e) = self.get(regs, args[1]), self.get(regs, args[2])
                regs = self.put(regs, args[0], arith(op, a, b), d | e)
            elif op in ('addi', 'ori', 'xori', 'andi', 'slli', 'srli'):
                a, d = self.get(regs, args[1])
                regs = self.put(regs, args[0], arith(op[:-1], a, int(args[2], 0)), d)
            elif op == 'j':
                pc = self.labels[args[0]]
            elif op in ('beq', 'bne', 'beqz', 'bnez'):
                (a, d), (b, e) = self.get(regs, args[0]), (0, NONE) if op[-1] == 'z' else self.get(regs, args[1])
                cdep = cdep | d | e
                if (a == b) == op.startswith('beq'):
                    pc = self.labels[args[-1]]
            elif op in ('sd', 'sw'):
                (v, ddep), (addr, adep) = self.get(regs, args[0]), self.address(regs, args[1])
                e = self.event(events, text, W, addr, adep, ddep, cdep)
                e.written = v
                events = events + [e]
            else:
                self.branching(op, args, text, pc, regs, cdep, events, fences, reserved, count)
                return
        self.paths.append((events, fences, regs))

    def branching(self, op, args, text, pc, regs, cdep, events, fences, reserved, count):
        """Accesses of which several outcomes are possible."""
        base, order = split_order(op)
        m = re.match(r'^amo(\w+)\.[wd]$', base)
        if base in ('ld', 'lw', 'irq') or base.startswith('lr.'):
            addr, adep = self.address(regs, args[1])
            if order == RL:
                order = 0               # the manual gives it no meaning
            for v in self.at(addr):
                if base == 'irq' and v != int(args[0], 0):
                    continue
                e = self.event(events, text, R | order, addr, adep, NONE, cdep)
                e.read = v
                after = regs if base == 'irq' else self.put(regs, args[0], v, frozenset([e.index]))
                self.step(pc, after, cdep, events + [e], fences, e.index if base.startswith('lr.') else reserved, count)
        elif base.startswith('sc.'):
            (v, ddep), (addr, adep) = self.get(regs, args[1]), self.address(regs, args[2])
            if order == AQ:
                order = 0               # likewise
            self.step(pc, self.put(regs, args[0], 1, NONE), cdep, events, fences, None, count)
            if reserved is None or events[reserved].addr != addr:
                return
            e = self.event(events, text, W | SC | order, addr, adep, ddep, cdep)
            e.written, e.pair = v, reserved
            after = self.put(regs, args[0], 0, frozenset([e.index]))
            self.step(pc, after, cdep, events + [e], fences, None, count)
        elif m:
            (new, ddep), (addr, adep) = self.get(regs, args[1]), self.address(regs, args[2])
            for v in self.at(addr):
                e = self.event(events, text, R | W | AMO | order, addr, adep, ddep, cdep)
                e.read, e.written = v, amo(m.group(1), v, new)
                after = self.put(regs, args[0], v, frozenset([e.index]))
                self.step(pc, after, cdep, events + [e], fences, reserved, count)
        else:
            raise Bad('instruction ' + text)


# ---- preserved program order ----------------------------------------------------------------------------------------

def in_set(e, bits):
    io = e.kind & IO
    return bool(e.kind & R and ('i' if io else 'r') in bits or e.kind & W and ('o' if io else 'w') in bits)


def fenced(a, b, bits):
    if bits is None:                    # fence.tso
        return not (a.kind | b.kind) & IO and bool(a.kind & R or a.kind & b.kind & W)
    return in_set(a, bits[0]) and in_set(b, bits[1])


def preserved(events, fences):
    """The pairs of one thread's events that are ordered whatever they read: all rules but 2, 3 and 12."""
    pairs = set()
    for j, b in enumerate(events):
        for i, a in enumerate(events[:j]):
            same_class = (a.kind & IO) == (b.kind & IO)
            write = b.kind & W
            if (a.addr == b.addr and (write or a.kind & IO)                                     # 1; a device's register
                    or any(i < at <= j and fenced(a, b, bits) for at, bits in fences)           # 4
                    or same_class and (a.kind & AQ or b.kind & RL)                              # 5, 6
                    or same_class and a.kind & (AQ | RL) and b.kind & (AQ | RL)                 # 7
                    or b.pair == i                                                              # 8
                    or i in b.adep or write and (i in b.ddep or i in b.cdep)                    # 9, 10, 11
                    or write and any(i in m.adep for m in events[i + 1:j])):                    # 13
                pairs.add((i, j))
    return pairs


# ---- whole executions -----------------------------------------------------------------------------------------------

def acyclic(after):
    """after[i]: bit mask of the events that come after i"""
    left = set(range(len(after)))
    while left:
        targets = 0
        for i in left:
            targets |= after[i]
        free = {i for i in left if not targets >> i & 1}
        if not free:
            return False
        left -= free
    return True


def orders(items, before):
    """All orders of items that keep the pairs `before`."""
    if not items:
        yield []
    for x in items:
        if not any((y, x) in before for y in items):
            for rest in orders([y for y in items if y != x], before):
                yield [x] + rest


class Execution:
    """One path of each thread."""

    def __init__(self, test, paths):
        self.test, self.regs = test, [p[2] for p in paths]
        self.events, self.ppo, self.base = [], [], []
        for events, fences, _ in paths:
            base = len(self.events)
            self.base.append(base)
            self.events += events
            self.ppo += [0] * len(events)
            for i, j in preserved(events, fences):
                self.ppo[base + i] |= 1 << base + j
        self.n = len(self.events)
        self.writes = {}
        for i, e in enumerate(self.events):
            if e.kind & W:
                self.writes.setdefault(e.addr, []).append(i)
        self.poloc = [sum(1 << j for j in range(i + 1, self.n) if self.events[j].thread == a.thread
                          and self.events[j].addr == a.addr) for i, a in enumerate(self.events)]

    def sources(self):
        """For each read the writes that it may read; -1: the initial value.  None: some read has none."""
        found = {}
        for i, e in enumerate(self.events):
            if not e.kind & R:
                continue
            found[i] = [w for w in self.writes.get(e.addr, []) if self.events[w].written == e.read
                        and not (self.events[w].thread == e.thread and w >= i)]
            if self.test.mem.get(e.addr, 0) == e.read:
                found[i].append(-1)
            if not found[i]:
                return None
        return found

    def coherence_orders(self):
        ev = self.events
        each = []
        for ws in self.writes.values():
            before = {(x, y) for x in ws for y in ws if x < y and ev[x].thread == ev[y].thread}
            each.append(list(orders(ws, before)))
        return itertools.product(*each)

    def allowed(self, co, rf):
        """co: an order of the writes of each place; rf: what each read reads.  Do the axioms allow it?"""
        ev, n = self.events, self.n
        place = {w: k for order in co for k, w in enumerate(order)}
        after = [0] * n                                     # coherence and from-read
        for order in co:
            for k, w in enumerate(order):
                for y in order[k + 1:]:
                    after[w] |= 1 << y
        for r, w in rf.items():
            rank = -1 if w < 0 else place[w]
            if ev[r].kind & AMO and place[r] != rank + 1:
                return False                                # atomicity of an AMO
            for x in self.writes.get(ev[r].addr, []):
                if x != r and place[x] > rank:
                    after[r] |= 1 << x
        for i, e in enumerate(ev):                          # atomicity of LR and SC
            if e.kind & SC:
                w = rf[self.base[e.thread] + e.pair]
                if any(ev[x].thread != e.thread and (-1 if w < 0 else place[w]) < place[x] < place[i]
                       for x in self.writes[e.addr]):
                    return False
        local = [after[i] | self.poloc[i] for i in range(n)]
        for r, w in rf.items():
            if w >= 0:
                local[w] |= 1 << r
        if not acyclic(local):
            return False                                    # load value
        order = [after[i] | self.ppo[i] for i in range(n)]
        for r, w in rf.items():
            if w < 0:
                continue
            if ev[w].thread != ev[r].thread or ev[w].kind & (AMO | SC):
                order[w] |= 1 << r                          # reads from another hart; rule 3
            else:
                for d in ev[w].adep | ev[w].ddep:
                    order[self.base[ev[w].thread] + d] |= 1 << r            # rule 12
        for i, j in itertools.combinations(sorted(rf), 2):                  # rule 2
            a, b = ev[i], ev[j]
            if a.thread == b.thread and a.addr == b.addr and rf[i] != rf[j]:
                if not any(ev[m].kind & W and ev[m].addr == a.addr for m in range(i, j)):
                    order[i] |= 1 << j
        return acyclic(order)

    def outcomes(self, wanted):
        """Yields (holds, witness) for final states that some allowed execution has, `wanted` ones only."""
        sources = self.sources()
        if sources is None:
            return
        reads = list(sources)
        for co in self.coherence_orders():
            last = {self.events[order[-1]].addr: self.events[order[-1]].written for order in co}
            holds = bool(eval(self.test.cond, {
                'reg': lambda t, r: self.regs[t].get(r, (0, None))[0],
                'mem': lambda a: last.get(a, self.test.mem.get(a, 0))}))
            if holds not in wanted:
                continue
            for choice in itertools.product(*[sources[r] for r in reads]):
                rf = dict(zip(reads, choice))
                if self.allowed(co, rf):
                    yield holds, (self, co, rf)
                    break


def thread_paths(test):
    """The paths of each thread; which values can be read is found by repetition."""
    values = {a: {test.mem.get(a, 0)} for a in test.places.values()}
    for _ in range(8):
        paths = [Walk(test, i, values).paths for i in range(len(test.threads))]
        new = {a: set(v) for a, v in values.items()}
        for events, _, _ in itertools.chain(*paths):
            for e in events:
                new.setdefault(e.addr, {test.mem.get(e.addr, 0)})
                if e.kind & W:
                    new[e.addr].add(e.written)
        if new == values:
            return paths
        values = new
    return paths


def check(test):
    """(verdict, witness): witness is an execution in which the condition holds, or None."""
    wanted, witness = {True, False}, None
    for paths in itertools.product(*thread_paths(test)):
        for holds, w in Execution(test, paths).outcomes(wanted):
            wanted.discard(holds)
            if holds:
                witness = w
            if not wanted:
                return 'Sometimes', witness
    return ('Never' if witness is None else 'Always'), witness


def show(witness):
    execution, co, rf = witness
    name = {a: n for n, a in execution.test.places.items()}
    for i, e in enumerate(execution.events):
        line = '    %2d P%d %-30s %s' % (i, e.thread, e.text, name.get(e.addr, hex(e.addr)))
        if e.kind & R:
            line += ' reads %d from %s' % (e.read, 'the start' if rf[i] < 0 else rf[i])
        if e.kind & W:
            line += ' writes %d' % e.written
        print(line)
    for order in co:
        print('    order of writes:', ' '.join(map(str, order)))


def main():
    args = sys.argv[1:]
    verbose = '-v' in args
    failed = False
    for path in (a for a in args if a != '-v'):
        with open(path, encoding='utf-8') as f:
            test = Test(f.read())
        verdict, witness = check(test)
        wrong = test.expect not in (None, verdict)
        failed |= wrong
        print('%-20s %-10s%s' % (test.name, verdict, ' wanted: ' + test.expect if wrong else ''))
        if verbose and witness:
            show(witness)
    return failed


if __name__ == '__main__':
    sys.exit(main())
