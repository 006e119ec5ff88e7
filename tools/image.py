# SPDX-License-Identifier: Apache-2.0
"""What qemu-run and tap-image share: how an image is run, with limits on its time and its output.

Beside an image lies IMAGE.run (IMAGE without .elf), one "word: value" a line, taken from comments of one line at the start
of lines of its source:
    /* harts: 1 2 4 8 */        numbers of harts that it is tested on (default 4; qemu-run takes the first)
    /* expect: exit 0 */        the status that it must end with (default 0; a panic ends with 3)
    /* match: REGEX */          a line that the console must show; any number of them
    /* same: REGEX */           what the console shows of it must be the same in a second run
    /* seconds: 30 */           hang limit in seconds of the host's clock (default 60)
    /* mem: 128M */             memory of the machine (default: the board's)
    /* tap: no */               it prints no TAP: only its end is tested
    /* count: stop<=20000 irqoff<=5000 */   run with the instruction counter; these bounds (<=, ==) are tests
    /* faults: deletion black */   tools/check-faults: it must fail in a build without these
    /* qemu: -cpu rv64,v=on */  further arguments of QEMU
    /* bootargs: percent=50 */  boot arguments of the image (/chosen/bootargs; on the host the variable BOOTARGS)
    /* input: TEXT */           a line that the console's input gives it; any number of them
    /* reset: SYMBOL */         each hart begins there instead of at the machine's reset address
    /* hal: riscv host */       built and run for these (default riscv); host-harts: as harts, where they differ
    /* host-variants: plain */  of the host's variants run in these alone (default all)
"""
import ctypes
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time

HANG = 124          # exit statuses of the runner's own, as timeout(1) has them
FLOOD = 125
NO_START = 127
BYTES = 4 << 20     # output limit


def header(image):
    """The run lines of `image`: word -> list of values."""
    lines = {}
    stem = image[:-4] if image.endswith('.elf') else image
    try:
        with open(stem + '.run', encoding='utf-8') as f:
            for line in f:
                word, _, value = line.partition(':')
                lines.setdefault(word.strip(), []).append(value.strip())
    except FileNotFoundError:
        pass
    return lines


def board(image):
    """The board's strings, from the nearest board.mk above `image`; None for a program of the host."""
    folder = os.path.dirname(os.path.abspath(image))
    while True:
        path = os.path.join(folder, 'board.mk')
        if os.path.exists(path):
            with open(path, encoding='utf-8') as f:
                pairs = (line.partition(':=') for line in f)
                return {name.strip(): value.strip() for name, _, value in pairs}
        if os.path.dirname(folder) == folder:
            return None
        folder = os.path.dirname(folder)


def qemu_command(image, harts, mem=None, plugin=None, plugin_out=None, more=(), console='stdio', monitor='none',
                 bootargs=None):
    strings = board(image)
    if not strings or 'BOARD_QEMU' not in strings:
        sys.exit('no board.mk with BOARD_QEMU above %s: build it with make' % image)
    command = shlex.split(strings['BOARD_QEMU'])
    lines = header(image)
    for flag, value in (('-smp', str(harts)),
                        ('-m', mem or lines.get('mem', [None])[0] or strings.get('BOARD_QEMU_MEM')),
                        ('-display', 'none'), ('-monitor', monitor), ('-serial', console)):
        if value and flag not in command:
            command += [flag, value]
    if plugin:
        command += ['-plugin', plugin + (',out=' + plugin_out if plugin_out else '')]
    if bootargs is None:
        bootargs = lines.get('bootargs', [''])[0]
    if bootargs:
        command += ['-append', bootargs]
    for line in lines.get('qemu', []):
        command += shlex.split(line)
    for symbol in lines.get('reset', []):
        address = symbol_address(image, symbol)
        for hart in range(int(harts)):
            command += ['-device', 'loader,addr=0x%s,cpu-num=%d' % (address, hart)]
    return command + list(more) + ['-kernel', image]


def symbol_address(image, symbol):
    tool = os.environ.get('CROSS', 'riscv64-unknown-elf-') + 'nm'
    for line in subprocess.run([tool, image], capture_output=True, text=True, check=True).stdout.splitlines():
        address, *_, name = line.split()
        if name == symbol:
            return address
    sys.exit('%s: no symbol %s' % (image, symbol))


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG


def run(command, seconds, out, limit=BYTES, stdin=subprocess.DEVNULL, env=None, hung=None):
    """Runs `command`, gives its output (both streams) to out(bytes); returns its exit status, HANG or FLOOD.  Before it
    ends one that hangs it calls hung()."""
    try:
        child = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 env=env, preexec_fn=die_with_parent)
    except OSError as error:
        out(('%s: %s\n' % (command[0], error.strerror)).encode())
        return NO_START
    end = time.monotonic() + seconds
    fd = child.stdout.fileno()
    status = None
    try:
        while True:
            left = end - time.monotonic()
            if left <= 0:
                status = HANG
                break
            if not select.select([fd], [], [], left)[0]:
                continue
            data = os.read(fd, 65536)
            if not data:
                break
            out(data[:limit])
            limit -= len(data)
            if limit <= 0:
                status = FLOOD
                break
        if status is None:
            try:
                status = child.wait(max(1.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                status = HANG
        if status == HANG and hung:
            hung()
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(2)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
    return status if status >= 0 else 128 - status


def typed(image):
    """What the image's "input" lines type, as a pipe to read from; None: nothing.  The first character may be lost: nobody
    has set the console up when it comes."""
    lines = header(image).get('input')
    if not lines:
        return None
    read, write = os.pipe()
    os.write(write, ('\n' + ''.join(line + '\n' for line in lines)).encode())
    os.close(write)
    return read


def run_qemu(image, harts, seconds, out, limit=BYTES, stdin=subprocess.DEVNULL, **options):
    """Runs an image as run() does; of one that hangs it tells where each hart stands."""
    if stdin == subprocess.DEVNULL:
        stdin = typed(image) or stdin
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'monitor')
        command = qemu_command(image, harts, monitor='unix:%s,server=on,wait=off' % path, **options)
        return run(command, seconds, out, limit, stdin, hung=lambda: out(where_harts_stand(path, image).encode()))


def where_harts_stand(path, image):
    """One line per hart, from QEMU's monitor at the socket `path`."""
    text = b''
    try:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(3)
            monitor.connect(path)
            monitor.sendall(b'stop\ninfo registers -a\n')
            while text.count(b'(qemu)') < 3:
                data = monitor.recv(65536)
                if not data:
                    break
                text += data
    except OSError:
        pass
    lines = ['']
    for part in text.decode('ascii', 'replace').split('CPU#')[1:]:
        values = dict(re.findall(r'\b(pc|mepc|mcause|mstatus|mip|mie|x2/sp|x1/ra)\s+([0-9a-f]{8,16})\b', part))
        where = {name: source_line(image, values.get(name, '0')) for name in ('pc', 'x1/ra', 'mepc')}
        lines.append('# hart %s: pc %s, ra %s, mepc %s' % (part.split()[0], where['pc'], where['x1/ra'], where['mepc']))
        lines.append('#   ' + ' '.join('%s=%s' % (name.split('/')[-1], values[name].lstrip('0') or '0')
                                       for name in ('x2/sp', 'mcause', 'mstatus', 'mip', 'mie') if name in values))
    return '\n'.join(lines) + '\n'


def source_line(image, address):
    tool = os.environ.get('CROSS', 'riscv64-unknown-elf-') + 'addr2line'
    try:
        found = subprocess.run([tool, '-f', '-s', '-e', image, address], capture_output=True, text=True, check=False).stdout
    except OSError:
        found = ''
    function, _, line = found.strip().partition('\n')
    return '%s %s (%s)' % (address.lstrip('0') or '0', function or '?', line.split(' ')[0] or '?')


def fixed_addresses():
    """The command before a program with thread sanitizer: its shadow memory collides with the addresses that some kernels choose at
    random."""
    try:
        can = subprocess.run(['setarch', '-R', 'true'], stderr=subprocess.DEVNULL, check=False).returncode == 0
    except OSError:
        can = False
    return ['setarch', '-R'] if can else []


def explain(status, seconds):
    if status == HANG:
        return 'no end within %g seconds' % seconds
    if status == FLOOD:
        return 'printed more than %d bytes' % BYTES
    if status > 128:
        try:
            return 'killed by %s' % signal.Signals(status - 128).name
        except ValueError:
            pass
    return 'exit status %d' % status
