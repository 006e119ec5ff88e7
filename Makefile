# SPDX-License-Identifier: Apache-2.0
#
# One Makefile, no recursion. `make help` lists the targets; everything that is made lies under $(O).

# ---- settings of the user: make BOARD=... HARTS=... ----------------------------------------------------------------
# BOARD    a file board/NAME.h                          O      where everything is made
# APP      the program of `make run`: a folder of apps/  CROSS  prefix of the cross tools
# HARTS    harts that run and run-image start            V      1 shows every command
# BOOTARGS boot arguments of run, run-image and debug: BOOTARGS="gctrace=1 percent=50"
# T        the image of run-image and debug: a file tests/image/T.c
# WERROR   0 lets warnings pass                          DEFS   more -D options, for an O of its own
# LUA      the collector of Lua's images: hgc or stock   SCRIPT, ARGS  what make lua runs
# LUA_MEM  memory of the machine that runs Lua
# FAULT    builds with a part of the collector taken out (deletion, insertion, black), in a directory of its own
BOARD ?= qemu-virt
O ?= build
APP ?= luastore
CROSS ?= riscv64-unknown-elf-
HARTS ?= 4
V ?=
T ?=
BOOTARGS ?=
WERROR ?= 1
DEFS ?=
FAULT ?=
LUA ?= $(if $(wildcard ports/lua/lgc.c),hgc,stock)
LUA_MEM ?= 384M
SCRIPT ?=
ARGS ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
HOSTCC ?= gcc
TSANCC ?= clang
ARM64CC ?= aarch64-linux-gnu-gcc
SECONDS_MAX ?= 600
OPT ?= -O2
GDBFLAGS ?=

MAKEFLAGS += -rR -j$(JOBS)
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
SHELL := /bin/sh

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(Q),@printf '  %-8s %s\n' $(1) $(2))
start := $(shell date +%s)

B := $(O)/$(BOARD)$(addprefix -,$(FAULT))
H := $(O)/host$(addprefix -,$(FAULT))

# ---- the machine this runs on, and the board -----------------------------------------------------------------------
goals := $(or $(MAKECMDGOALS),all)
building := $(filter-out help clean distclean,$(goals))

ifneq ($(filter run run-% test test-% debug lua hostile hostile-host bench-lua stops pace sim mutants images plugin size,$(goals)),)
ifeq ($(findstring n,$(firstword -$(MAKEFLAGS))),)
$(shell tools/setup >&2)
ifneq ($(.SHELLSTATUS),0)
$(error tools/setup could not complete)
endif
endif
endif

ifneq ($(building),)
boards := $(sort $(basename $(notdir $(wildcard board/*.h))))
ifeq ($(filter $(BOARD),$(boards)),)
$(error there is no board/$(BOARD).h. Boards: $(boards))
endif
# The macros of the board header as make variables: BOARD_MARCH, BOARD_MABI, BOARD_QEMU, ... Made on demand;
# make then reads this file again.
include $(B)/board.mk
endif

$(B)/board.mk: board/$(BOARD).h Makefile
	@mkdir -p $(@D)
	@command -v $(CROSS)gcc >/dev/null || { echo "no $(CROSS)gcc: tools/setup installs it" >&2; exit 1; }
	@$(CROSS)gcc -E -dM -x c $< | sed -n -e 's/"//g' -e 's/^#define \(BOARD_[A-Z0-9_]*\) \(.*[^ ]\) *$$/\1 := \2/p' >$@

# ---- sources: whatever lies in the folders -------------------------------------------------------------------------
src_core := $(sort $(wildcard kernel/*.c gc/*.c))
src_target := $(sort $(wildcard boot/*.S boot/*.c hal/riscv/*.S hal/riscv/*.c)) $(BOARD_DRIVERS:%=hal/dev/%.c) $(src_core)
src_host := $(sort $(wildcard hal/host/*.c)) hal/dev/no_irq.c $(src_core)
src_libc := $(sort $(wildcard libc/*.c))
src_image_lib := $(sort $(wildcard tests/image/lib/*.c))
# What of ports/ needs no target, for unit tests.
src_pure := ports/lua/edit.c
images := $(sort $(basename $(notdir $(wildcard tests/image/*.c))))
benches := $(sort $(basename $(notdir $(wildcard bench/*.c))))
apps := $(sort $(patsubst apps/%/,%,$(dir $(wildcard apps/*/*.c))))
units := $(sort $(basename $(notdir $(wildcard tests/unit/*.c))))
negs := $(sort $(wildcard tests/neg/*.c))
# Images for the host as well say so in a line /* hal: riscv host */; one for the host alone /* hal: host */.
host_sources := $(shell grep -lE '/\* *hal:[a-z ]*host' /dev/null $(wildcard tests/image/*.c bench/*.c) 2>/dev/null)
only_host := $(shell grep -lE '/\* *hal: *host *\*/' /dev/null $(wildcard tests/image/*.c bench/*.c) 2>/dev/null)
host_images := $(filter $(images),$(patsubst tests/image/%.c,%,$(host_sources)))
host_benches := $(filter $(benches),$(patsubst bench/%.c,%,$(host_sources)))
target_images := $(filter-out $(patsubst tests/image/%.c,%,$(only_host)),$(images))
target_benches := $(filter-out $(patsubst bench/%.c,%,$(only_host)),$(benches))

obj = $(addprefix $(1)/,$(addsuffix .o,$(basename $(2))))
elf_images := $(target_images:%=$(B)/tests/%.elf)
elf_benches := $(target_benches:%=$(B)/bench/%.elf)
elf_apps := $(apps:%=$(B)/apps/%.elf)

# ---- flags ---------------------------------------------------------------------------------------------------------
warn := -Wall -Wextra -Wundef -Wvla -Wstrict-prototypes $(if $(filter 1,$(WERROR)),-Werror)
fault_def := $(if $(FAULT),-DHGC_FAULT_$(shell echo $(FAULT) | tr a-z- A-Z_)=1)
common := -std=gnu17 -g $(warn) -I. -MMD -MP $(DEFS) $(fault_def) -fno-common
# Trap entry, restartable sequences and memset are written so that these hold; see docs/.
kernelish := -ffreestanding -fno-delete-null-pointer-checks -fno-strict-aliasing

arch := -march=$(BOARD_MARCH) -mabi=$(BOARD_MABI) -mcmodel=medany
NEWLIB := $(O)/newlib/$(BOARD_MABI)
# The board header comes before every file of the target, and before nothing of the host.
board_h := -include board/$(BOARD).h
cflags_target := $(common) $(OPT) $(arch) -Ihal/riscv $(board_h) -msmall-data-limit=8 \
    -ffunction-sections -fdata-sections -fno-reorder-blocks-and-partition -fno-asynchronous-unwind-tables \
    -fno-unwind-tables -fstack-usage $(BOARD_CFLAGS)
cflags_core := $(cflags_target) $(kernelish) -fno-tree-loop-distribute-patterns
cflags_app := $(cflags_target) -fno-delete-null-pointer-checks -D__DYNAMIC_REENT__ -isystem $(NEWLIB)/include \
    -I$(O)/jsonstore
ldflags := $(arch) -static -nostartfiles -nostdlib -Wl,--gc-sections -Wl,--fatal-warnings -Wl,--build-id=none \
    -Wl,-T,$(B)/hartgc.ld
is_core = $(filter boot/% hal/% kernel/% gc/%,$(1))
# More flags for the files of one folder, or for one file.
flags_of = $(flags_$(patsubst %/,%,$(dir $(1)))) $(flags_$(1))

# ---- objects and images of the target ------------------------------------------------------------------------------
# Objects depend on the flags that they are made with.
FORCE:
quoted = $(subst ','\'',$(1))
flags_file = @mkdir -p $(@D); echo '$(call quoted,$(1))' | cmp -s - $@ || echo '$(call quoted,$(1))' >$@
$(B)/flags: FORCE
	$(call flags_file,$(CROSS) $(cflags_core) / $(cflags_app) / $(ldflags))

$(B)/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(if $(call is_core,$<),$(cflags_core),$(cflags_app) $(call flags_of,$<)) -c $< -o $@

$(B)/%.o: %.S $(B)/flags
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(cflags_core) -c $< -o $@

$(B)/jsonstore/%.o: $(O)/jsonstore/%.S $(B)/flags
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(cflags_core) -c $< -o $@

$(B)/hartgc.ld: linker/hartgc.ld.S board/$(BOARD).h $(B)/flags
	$(call say,CPP,$<)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc -E -P -x assembler-with-cpp -I. $(arch) $(DEFS) -D__LINKER__ $(board_h) \
	    -MMD -MP -MF $@.d -MT $@ $< -o $@

$(NEWLIB)/stamp: tools/newlib
	$(Q)CROSS=$(CROSS) tools/newlib $(BOARD_MARCH) $(BOARD_MABI) $(NEWLIB) && touch $@

# The objects of the product come first, so that what the kernel defines (memcpy, memset) is not taken from the library.
# Beside each image lies NAME.run: the lines of the source that tell the runner how it is run.
# libc/ goes into an archive with newlib, so that an image has of it what the newlib functions need that it calls.
core_objs := $(call obj,$(B),$(src_target))
libs := $(B)/libc/libc.a $(NEWLIB)/stamp
link_libs := -Wl,--start-group $(B)/libc/libc.a $(NEWLIB)/lib/libm.a -lgcc -Wl,--end-group
link_image = $(Q)$(CROSS)gcc $(ldflags) $(if $(filter %/own/lgc.o,$^),$(lua_ldflags_hgc)) -Wl,-Map=$(@:.elf=.map) $(filter %.o,$^) $(link_libs) -o $@
run_lines = @mkdir -p $(@D); sed -n '/^\/\* *[a-z-]*:/{s|\*/ */\*|*/\n/*|g;p}' $< | \
    sed -n 's|^/\* *\([a-z-]*\): *\(.*[^ ]\) *\*/ *$$|\1: \2|p' >$@

# Without newlib's own locks, which do nothing, and its only state for all: the linker would take those.
$(B)/libc/libc.a: $(call obj,$(B),$(src_libc)) $(NEWLIB)/stamp
	$(call say,AR,$@)
	$(Q)cp $(NEWLIB)/lib/libc.a $@ && $(CROSS)ar d $@ lib_a-lock.o lib_a-getreent.o && $(CROSS)ar q $@ $(filter %.o,$^)

$(elf_images): $(B)/tests/%.elf: $(B)/tests/image/%.o $(core_objs) $(call obj,$(B),$(src_image_lib)) \
    $(B)/hartgc.ld $(libs) | $(B)/tests/%.run
	$(call say,LD,$@)
	$(link_image)
$(elf_benches): $(B)/bench/%.elf: $(B)/bench/%.o $(core_objs) $(call obj,$(B),$(src_image_lib)) \
    $(B)/hartgc.ld $(libs) | $(B)/bench/%.run
	$(call say,LD,$@)
	$(link_image)
$(elf_images:.elf=.run): $(B)/tests/%.run: tests/image/%.c
	$(run_lines)
$(elf_benches:.elf=.run): $(B)/bench/%.run: bench/%.c
	$(run_lines)
ifneq ($(building),)
$(call obj,$(B),$(wildcard tests/image/*.c bench/*.c apps/*/*.c) $(src_image_lib) $(src_libc)): | $(NEWLIB)/stamp
endif

# An application is a folder of apps/; what else it is linked with stands in app_objs_NAME (under $(B) or $(H)/VARIANT).
app_objs_jsonstore := jsonstore/corpus.o
app_objs_luastore := jsonstore/corpus.o apps/jsonstore/corpus.o
define app_rules
$(B)/apps/$(1).elf: $(call obj,$(B),$(wildcard apps/$(1)/*.c)) $(addprefix $(B)/,$(app_objs_$(1))) $(core_objs) \
    $(B)/hartgc.ld $(libs) | $(B)/apps/$(1).run
	$$(call say,LD,$$@)
	$$(link_image)
$(B)/apps/$(1).run: $(firstword $(wildcard apps/$(1)/main.c apps/$(1)/$(1).c apps/$(1)/*.c))
	$$(run_lines)
endef
$(foreach app,$(apps),$(eval $(call app_rules,$(app))))

# ---- the documents of apps/jsonstore -------------------------------------------------------------------------------
# tools/jsongen.py packs real and generated documents into corpus.bin and writes expect.h, the digests that come out.
json := $(O)/jsonstore
$(json)/corpus.bin $(json)/expect.h &: tools/jsongen.py $(wildcard /usr/share/iso-codes/json/*.json)
	$(call say,GEN,$(json)/corpus.bin)
	@mkdir -p $(json)
	$(Q)python3 tools/jsongen.py --out $(json)

$(json)/corpus.S: $(json)/corpus.bin Makefile
	@{ echo '/* Made by the Makefile. */'; echo '.section .rodata.jsonstore, "a"'; echo '.balign 16'; \
	   echo '.globl jsonstore_corpus, jsonstore_corpus_end'; echo 'jsonstore_corpus:'; echo '.incbin "$<"'; \
	   echo 'jsonstore_corpus_end:'; echo '.byte 0'; echo '.section .note.GNU-stack, "", %progbits'; } >$@

# ---- the host: the same sources on hal/host ------------------------------------------------------------------------
# Variants: plain; asan with ubsan; tsan; arm64, run under qemu-aarch64.
variants := plain asan tsan arm64
cc_plain := $(HOSTCC)
cc_asan := $(HOSTCC)
cc_tsan := $(TSANCC)
cc_arm64 := $(ARM64CC)
flags_plain := -O2
flags_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
flags_tsan := -O1 -fsanitize=thread -fno-omit-frame-pointer
flags_arm64 := -O2 -static
libs_plain := -lcmocka
libs_asan := -lcmocka
libs_tsan := -lcmocka

# $(1): variant. The core is an archive here: a unit test may include a .c file of the core to reach what is static.
define host_rules
$(H)/$(1)/flags: FORCE
	$$(call flags_file,$$(cc_$(1)) $$(host_cflags) $$(flags_$(1)))

$(H)/$(1)/%.o: %.c $(H)/$(1)/flags
	$$(call say,CC,"$$< ($(1))")
	@mkdir -p $$(@D)
	$(Q)$$(cc_$(1)) $$(host_cflags) $$(flags_$(1)) $$(if $$(filter kernel/% gc/%,$$<),$(kernelish)) -c $$< -o $$@

$(H)/$(1)/jsonstore/corpus.o: $(json)/corpus.S
	@mkdir -p $$(@D)
	$(Q)$$(cc_$(1)) $$(flags_$(1)) -c $$< -o $$@

$(H)/$(1)/libhartgc.a: $(call obj,$(H)/$(1),$(src_host) $(src_image_lib) $(src_pure))
	@rm -f $$@
	$(Q)ar rc $$@ $$^

$(units:%=$(H)/$(1)/unit/%): $(H)/$(1)/unit/%: $(H)/$(1)/tests/unit/%.o $(H)/$(1)/libhartgc.a
	$$(host_link)
$(host_images:%=$(H)/$(1)/image/%): $(H)/$(1)/image/%: $(H)/$(1)/tests/image/%.o $(H)/$(1)/libhartgc.a \
    | $(H)/$(1)/image/%.run
	$$(host_link)
$(host_images:%=$(H)/$(1)/image/%.run): $(H)/$(1)/image/%.run: tests/image/%.c
	$$(run_lines)
$(host_benches:%=$(H)/$(1)/bench/%): $(H)/$(1)/bench/%: $(H)/$(1)/bench/%.o $(H)/$(1)/libhartgc.a
	$$(host_link)
$(foreach app,$(apps),$(eval \
$(H)/$(1)/app/$(app): $(call obj,$(H)/$(1),$(wildcard apps/$(app)/*.c)) $(addprefix $(H)/$(1)/,$(app_objs_$(app)))))
$(apps:%=$(H)/$(1)/app/%): $(H)/$(1)/libhartgc.a
	$$(host_link)
$(apps:%=$(H)/$(1)/app/%.run): $(H)/$(1)/app/%.run: $(B)/apps/%.run
	@mkdir -p $$(@D)
	@cp $$< $$@
endef
host_cflags = $(common) -Ihal/host -I$(json) -pthread
# The variant that a file under $(H) belongs to.
variant_of = $(word 1,$(subst /, ,$(@:$(H)/%=%)))
define host_link
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(cc_$(variant_of)) $(flags_$(variant_of)) -pthread $(filter %.o,$^) $(filter %.a,$^) \
	    $(if $(findstring /unit/,$@),$(libs_$(variant_of))) -o $@
endef
$(foreach variant,$(variants),$(eval $(call host_rules,$(variant))))

$(call obj,$(B),$(wildcard apps/jsonstore/*.c apps/luastore/*.c)) \
$(foreach variant,$(variants),$(call obj,$(H)/$(variant),$(wildcard apps/jsonstore/*.c))): $(json)/expect.h

unit_variants := plain asan tsan
host_units := $(foreach variant,$(unit_variants),$(units:%=$(H)/$(variant)/unit/%))
host_run := $(foreach variant,$(variants),$(host_images:%=$(H)/$(variant)/image/%))
# An application runs on the host when its header says so.
host_apps := $(foreach app,$(apps),$(if $(shell grep -lE '/\* *hal:[a-z ]*host' $(wildcard apps/$(app)/*.c)),$(app)))
host_app_run := $(foreach variant,$(variants),$(host_apps:%=$(H)/$(variant)/app/%))
host_app_lines := $(host_app_run:%=%.run)

# ---- the simulator: the same sources on hal/sim ---------------------------------------------------------------------
# The core and the workloads are built with the compiler's hooks for a race detector, which hal/sim/race.c defines; capacities
# are small, so that a short schedule meets all of them.
S := $(O)/sim
sim_defs := -DHK_MAX_HARTS=8 -DHK_MAX_TASKS=64 -DHK_STACK_SIZE=16384 -DHK_MAIN_STACK_SIZE=16384 -DHK_IDLE_STACK_SIZE=8192 \
    -DHK_STACKS_KEPT=2 -DHK_TICK_NS=40000 -DHART_GC_SIZE=7168 -DHGC_KINDS=5 -DHGC_BLOCK_SHIFT=10 -DHGC_QUEUE_SIZE=4 \
    -DHGC_RUNS_HELD=3 -DHGC_SLICE=128 -DHAL_HAS_LIBC
sim_cflags = $(common) $(sim_defs) -Ihal/sim -Itests/sim -O2 -fno-pie -fno-omit-frame-pointer
sim_hooked := $(kernelish) -fsanitize=thread --param tsan-instrument-func-entry-exit=0 \
    -Dmemset=sim_memset -Dmemcpy=sim_memcpy -Dmemmove=sim_memmove -Dmemcmp=sim_memcmp
sim_unhooked := hal/% tests/sim/main.c tests/sim/truth.c
src_sim := $(sort $(wildcard hal/sim/*.c tests/sim/*.c)) hal/dev/no_irq.c $(src_core)
$(S)/flags: FORCE
	$(call flags_file,$(HOSTCC) $(sim_cflags) $(sim_hooked))
sim_cc = $(HOSTCC) $(sim_cflags) $(if $(filter $(sim_unhooked),$(1)),,$(sim_hooked))
$(S)/%.o: %.c $(S)/flags
	$(call say,CC,"$< (sim)")
	@mkdir -p $(@D)
	$(Q)$(call sim_cc,$<) -c $< -o $@
$(S)/sim: $(call obj,$(S),$(src_sim))
	$(call say,LD,$@)
	$(Q)$(HOSTCC) -no-pie -Wl,-z,now $^ -o $@

# ---- the instruction counter ---------------------------------------------------------------------------------------
plugin := $(O)/plugin/hartcount.so
plugin_api = $(shell qemu-system-riscv64 --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p;q')
$(plugin): tools/plugin/hartcount.c
	$(call say,PLUGIN,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu17 -O2 -g $(warn) -fPIC -shared -fvisibility=hidden \
	    $(if $(shell [ "0$(plugin_api)" -ge 9 ] && echo y),-DPLUGAPI=4) -pthread $< -o $@

# ---- fuzz targets ----------------------------------------------------------------------------------------------------
include tests/fuzz/rules.mk

# ---- Lua -------------------------------------------------------------------------------------------------------------
include ports/lua/lua.mk
include ports/lua/sim.mk
include ports/lua/host.mk

bootargs = $(if $(BOOTARGS),--bootargs '$(call quoted,$(BOOTARGS))')

# ---- targets -------------------------------------------------------------------------------------------------------
.PHONY: all lua hostile hostile-host bench-lua stops pace run run-image debug test test-host images plugin sim sim-mutant mutants size help clean distclean \
    compile_commands.json newlib FORCE
.SECONDARY:

## builds the applications for BOARD
all: $(elf_apps)

## builds and runs the application APP on HARTS harts; installs what is missing first
run: $(B)/apps/$(APP).elf
	$(Q)tools/qemu-run --harts $(HARTS) $(bootargs) --seconds $(SECONDS_MAX) $<

## runs one test image: make run-image T=boot HARTS=4 (or: make run-boot); PLUGIN=1 counts instructions
run-image: $(B)/tests/$(T).elf $(if $(PLUGIN),$(plugin))
	$(if $(T),,$(error say which: make run-image T=NAME. Images: $(images)))
	$(Q)tools/qemu-run --harts $(HARTS) $(bootargs) $(if $(PLUGIN),--plugin $(plugin)) $<
run-bench-%: $(B)/bench/%.elf $(plugin)
	$(Q)tools/qemu-run --harts $(HARTS) $(bootargs) --plugin $(plugin) $<
run-%: $(B)/tests/%.elf
	$(Q)tools/qemu-run --harts $(HARTS) $(bootargs) $<

## opens gdb on all harts, stopped at reset, of APP or of the test image T; GDBFLAGS='-ex "b app_main" -ex c'
debug: $(if $(T),$(B)/tests/$(T).elf,$(B)/apps/$(APP).elf)
	$(Q)GDBFLAGS='$(call quoted,$(GDBFLAGS))' tools/qemu-run --harts $(HARTS) $(bootargs) --gdb $<

## runs the Lua program SCRIPT=file.lua with ARGS="..."; without SCRIPT: Lua's prompt on the console
lua: $(B)/lua/$(LUA)/image/$(if $(SCRIPT),script,lua).elf
	$(Q)tools/qemu-run --harts $(HARTS) --mem $(LUA_MEM) --stdin \
	    $(if $(SCRIPT),--seconds $(SECONDS_MAX),--seconds 1e9 --bytes 1000000000000) \
	    --bootargs '$(call quoted,$(BOOTARGS) -- $(or $(SCRIPT),-i) $(ARGS))' $<

## runs the hostile Lua program at PERCENT=100 of its full size (hours), each cycle verified; SEED=n: another course
PERCENT ?= 100
hostile: $(B)/lua/hgc/image/tests.elf
	$(Q)tools/qemu-run --harts $(HARTS) --mem 32M --seconds 1e6 \
	    --bootargs '$(BOOTARGS) verify=1 -- tests/lua/long/hostile.lua $(PERCENT) $(SEED)' $<

## the same on the host
hostile-host: $(H)/lua
	$(Q)HGC_HARTS=2 HGC_MEM=32M BOOTARGS='$(BOOTARGS) verify=1' $(H)/lua tests/lua/long/hostile.lua $(PERCENT) $(SEED)

## runs every test: checks, host units with sanitizers, images under QEMU; ends with "N passed, N failed"
test: images $(lua_test_images) $(lua_host_programs) $(host_units) $(host_run) $(host_app_run) $(host_app_lines) $(plugin) $(S)/sim $(SL)/sim $(fuzz_programs)
	$(Q)CROSS='$(CROSS)' CORE_OBJS='$(core_objs)' ELF_APPS='$(elf_apps)' ELF_IMAGES='$(elf_images)' \
	    LUA_STOCK='$(lua_stock_tests)' LUA_OURS='$(lua_our_tests)' LUA_CONSOLES='$(lua_consoles:%=%@1) $(lua_consoles:%=%@4)' \
	    LUA_HOST='$(H)' UNITS='$(host_units)' HOST_IMAGES='$(host_run)' HOST_APPS='$(host_app_run)' NEGS='$(negs)' \
	    TARGET_CC='$(call quoted,$(CROSS)gcc $(filter-out -MMD -MP -Werror -fstack-usage,$(cflags_core)))' \
	    HOST_CC='$(call quoted,$(HOSTCC) $(filter-out -MMD -MP -Werror,$(host_cflags)))' \
	    SIM='$(S)/sim' FUZZ='$(fuzz_programs)' FUZZ_SECONDS='$(FUZZ_SECONDS)' PLUGIN='$(plugin)' O='$(O)' \
	    JOBS='$(JOBS)' START='$(start)' tools/test

## the part of the tests that needs no machine under QEMU
test-host: $(host_units) $(host_run) $(lua_host_programs)
	$(Q)UNITS='$(host_units)' HOST_IMAGES='$(host_run)' LUA_HOST='$(H)' O='$(O)' JOBS='$(JOBS)' START='$(start)' tools/test

## runs SEEDS=n schedules in the simulator from SEED=first on (else one drawn from the clock); SIMFLAGS: see tests/sim/main.c
SEEDS ?= 20000
SEED ?= $(start)000000
SIMFLAGS ?=
sim: $(S)/sim
	$(Q)echo "simulator: base seed $(SEED)"; $(S)/sim --seed $(SEED) --seeds $(SEEDS) $(SIMFLAGS)

## runs the tests against each defect of tests/mutants/list (hours); MUTANTS: see tools/mutants
MUTANTS ?=
mutants: $(S)/sim
	$(Q)O='$(O)' tools/mutants --jobs $(JOBS) $(MUTANTS)

# What tools/mutants builds: the simulator with one file, FILE, replaced by SRC.
sim-mutant: $(S)/sim
	$(Q)mkdir -p $(dir $(OUT)) && $(filter-out -Werror,$(call sim_cc,$(FILE))) -MF $(OUT).d -iquote $(dir $(FILE)) \
	    -c $(SRC) -o $(OUT).o && \
	    $(HOSTCC) -no-pie -Wl,-z,now $(filter-out $(S)/$(FILE:.c=.o),$(call obj,$(S),$(src_sim))) $(OUT).o -o $(OUT)

## builds every image: applications, tests, benchmarks
images: $(elf_apps) $(elf_images) $(elf_benches)

## prints the table of stops: instructions for 1, 16 and 64 MiB live (minutes)
stops: $(plugin) $(B)/tests/gc-stops.elf $(B)/bench/stops-16.elf $(B)/bench/stops-64.elf
	$(Q)O='$(O)' PLUGIN='$(plugin)' tools/stop-table $(filter %.elf,$^)

## prints what a program may allocate and what collecting costs then, in instructions (a minute)
pace: $(plugin) $(B)/bench/pace-half.elf $(B)/bench/pace-most.elf $(B)/bench/pace-step.elf
	$(Q)O='$(O)' PLUGIN='$(plugin)' tools/pace-table $(filter %.elf,$^)

## prints what the collector costs Lua programs, stock Lua's and ours, in instructions (minutes); SMALL=1: a quick look
bench-lua: $(plugin) $(lua_benches_images)
	$(Q)O='$(O)' PLUGIN='$(plugin)' LUA_STOCK='$(B)/lua/stock/image/bench.elf' \
	    LUA_OURS='$(filter %/hgc/image/bench.elf,$(lua_benches_images))' tools/lua-table $(if $(SMALL),--small)

## builds the instruction-counting plugin for QEMU
plugin: $(plugin)

newlib: $(NEWLIB)/stamp

## sizes of the layers and images, and the functions with the deepest stack frames
size: $(elf_apps)
	@echo 'bytes, before unused functions are dropped: text data bss'
	@for layer in boot hal kernel gc libc; do \
	    $(CROSS)size -t $$(find $(B)/$$layer -name '*.o' 2>/dev/null) /dev/null 2>/dev/null | \
	    awk -v l=$$layer '/TOTALS/ { printf "  %-8s %8d %8d %8d\n", l, $$1, $$2, $$3 }'; done
	@echo 'images: text data bss'
	@$(CROSS)size $(elf_apps) | awk 'NR > 1 { printf "  %-30s %8d %8d %8d\n", $$6, $$1, $$2, $$3 }'
	@echo 'deepest stack frames, bytes'
	@find $(B)/boot $(B)/hal $(B)/kernel $(B)/gc $(B)/libc $(B)/apps -name '*.su' -exec cat {} + 2>/dev/null | \
	    awk -F '\t' '{ split($$1, a, ":"); printf "  %6d %s %s (%s)\n", $$2, a[1], a[4], $$3 }' | sort -rn | head -n 15

## a compilation database for editors: $(O)/compile_commands.json
compile_commands.json: $(O)/compile_commands.json
comma := ,
entry = {"directory": "$(CURDIR)", "file": "$(1)", "command": "$(subst ",\",$(subst \,\\,$(2))) -c $(1)"}
$(O)/compile_commands.json: FORCE
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(file >$@,[)
	$(foreach f,$(src_target),$(file >>$@,$(call entry,$f,$(CROSS)gcc $(cflags_core))$(comma)))
	$(foreach f,$(wildcard tests/image/*.c bench/*.c apps/*/*.c) $(src_image_lib) $(src_libc),\
	    $(file >>$@,$(call entry,$f,$(CROSS)gcc $(cflags_app))$(comma)))
	$(foreach f,$(wildcard hal/host/*.c tests/unit/*.c),$(file >>$@,$(call entry,$f,$(HOSTCC) $(host_cflags))$(comma)))
	$(file >>$@,$(call entry,tools/plugin/hartcount.c,$(HOSTCC) -std=gnu17))
	$(file >>$@,])

## lists the targets
help:
	@awk '/^## / { text = substr($$0, 4); next } \
	      text != "" && /^[a-z_.-]+:/ { name = $$1; sub(/:.*/, "", name); printf "%-22s %s\n", name, text } \
	      { text = "" }' Makefile
	@echo; echo 'Settings:'; sed -n '/^# BOARD /,/^# FAULT/s/^# /  /p' Makefile

## removes what was built, but keeps newlib and Lua's source
clean:
	@[ ! -d $(O) ] || find $(O) -mindepth 1 -maxdepth 1 ! -name newlib ! -name lua -exec rm -rf {} +

## removes everything that was built
distclean:
	rm -rf $(O)

include tests/mutants/rules.mk

ifneq ($(building),)
-include $(patsubst %.o,%.d,$(core_objs) $(call obj,$(B),$(src_libc) $(src_image_lib) \
    $(wildcard tests/image/*.c bench/*.c apps/*/*.c)))
-include $(B)/hartgc.ld.d
-include $(patsubst %.o,%.d,$(call obj,$(S),$(src_sim)))
-include $(foreach variant,$(variants),$(patsubst %.o,%.d,$(call obj,$(H)/$(variant),$(src_host) $(src_image_lib) \
    $(wildcard tests/image/*.c tests/unit/*.c bench/*.c apps/*/*.c))))
endif
