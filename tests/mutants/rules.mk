# SPDX-License-Identifier: Apache-2.0
#
# Goals for tools/mutants: one changed file compiled with the flags of the product, and linked with the objects of the
# others, which the goals mutant-base make first. Warnings pass: a mutant may leave a name unused.
#
#   make mutant-base-image T='stop wake'          what mutants of these images are linked with
#   make image-mutant SRC=changed.c FILE=gc/barrier.c T='stop wake' OUT=build/qemu-virt/mutants/1
#   make mutant-base-unit
#   make unit-mutant SRC=changed.c FILE=gc/bits.c T='bits' OUT=build/mutants/1
#   make mutant-base-lua; make lua-mutant sim-lua-mutant SRC=changed.c FILE=ports/lua/weak.c OUT=build/mutants/1
#       a changed ports/lua/NAME.h lies where it would in a tree of its own, SRC=TREE/ports/lua/NAME.h: all is compiled with it
.PHONY: mutant-base-image image-mutant mutant-base-unit unit-mutant mutant-base-lua lua-mutant sim-lua-mutant

SRC ?=
FILE ?=
OUT ?=
mutant_flags = $(filter-out -Werror -MMD -MP -fstack-usage,$(1))
mutant_objs := $(filter-out $(B)/$(basename $(FILE)).o,$(core_objs))

mutant-base-image: $(T:%=$(B)/tests/%.elf)
mutant-base-unit: $(units:%=$(H)/plain/unit/%)

# A mutant of libc/ comes before the archive, so that its member is not taken.
image-mutant:
	@mkdir -p $(OUT)
	$(Q)$(CROSS)gcc $(call mutant_flags,$(if $(call is_core,$(FILE)),$(cflags_core),$(cflags_app))) -c $(SRC) \
	    -o $(OUT)/mutant.o
	$(Q)for t in $(T); do \
	    cp $(B)/tests/$$t.run $(OUT)/ && \
	    $(CROSS)gcc $(ldflags) $(B)/tests/image/$$t.o $(mutant_objs) $(OUT)/mutant.o \
	        $(call obj,$(B),$(src_image_lib)) $(link_libs) -o $(OUT)/$$t.elf || exit 1; \
	done

# The mutant's object comes before the archive, so that its member is not taken.
unit-mutant:
	@mkdir -p $(OUT)
	$(Q)$(HOSTCC) $(call mutant_flags,$(host_cflags)) $(flags_plain) $(kernelish) -c $(SRC) -o $(OUT)/mutant.o
	$(Q)for t in $(T); do \
	    $(HOSTCC) $(flags_plain) -pthread $(H)/plain/tests/unit/$$t.o $(OUT)/mutant.o $(H)/plain/libhartgc.a \
	        $(libs_plain) -o $(OUT)/$$t || exit 1; \
	done

# Lua's glue.  A changed file replaces its object, a changed header all those that may include it: Lua's, ports/lua's, the workload.
mutant_tree = $(SRC:%/$(FILE)=%)
mutant_changed := $(patsubst %.c,%,$(notdir $(FILE)))
lua_mutant_sources := $(lua_names_hgc:%=$(L)/hgc/%.c) $(lua_own_hgc:%=ports/lua/%.c)
sim_lua_mutant_sources := $(sim_lua_core:%=$(L)/hgc/%.c) $(sim_lua_own:%=ports/lua/%.c) $(sim_lua_tests)
is_header := $(filter %.h,$(FILE))

mutant-base-lua: $(B)/lua/hgc/image/tests.elf $(B)/tests/lua-scenes.elf $(lua_stock_tests)

lua_mutant_cc = $(CROSS)gcc $(if $(is_header),-I$(mutant_tree)/ports/lua -I$(mutant_tree)) \
    $(call mutant_flags,$(filter-out $(warn),$(cflags_app)) $(lua_flags_hgc))
lua-mutant:
	@mkdir -p $(OUT)
	$(Q)for f in $(if $(is_header),$(lua_mutant_sources),$(SRC)); do extra=; \
	    case $$f in */lua.c) extra='$(lua_c_flags)';; esac; \
	    $(lua_mutant_cc) $$extra -iquote $(if $(is_header),$(mutant_tree)/)ports/lua -c $$f -o $(OUT)/target-$$(basename $$f .c).o || exit 1; done
	$(Q)$(CROSS)gcc $(ldflags) $(lua_ldflags_hgc) $(B)/lua/hgc/image/tests.o \
	    $(if $(is_header),,$(filter-out %/own/$(mutant_changed).o,$(lua_objs_hgc))) $(OUT)/target-*.o $(core_objs) $(link_libs) \
	    -o $(OUT)/tests.elf
	$(Q)$(if $(is_header),,cp $(B)/tests/lua-scenes.run $(OUT)/ && $(CROSS)gcc $(ldflags) $(lua_ldflags_hgc) \
	    $(B)/tests/image/lua-scenes.o $(filter-out %/own/$(mutant_changed).o,$(lua_lib_objs)) $(OUT)/target-*.o $(core_objs) \
	    $(call obj,$(B),$(src_image_lib)) $(link_libs) -o $(OUT)/lua-scenes.elf)

sim_lua_mutant_cc = $(HOSTCC) $(if $(is_header),-I$(mutant_tree)/ports/lua -I$(mutant_tree)) \
    $(call mutant_flags,$(filter-out $(warn),$(sim_lua_cflags)))
sim-lua-mutant: $(SL)/sim
	@mkdir -p $(OUT)
	$(Q)for f in $(if $(is_header),$(sim_lua_mutant_sources),$(SRC)); do \
	    $(sim_lua_mutant_cc) -iquote $(if $(is_header),$(mutant_tree)/)ports/lua -c $$f -o $(OUT)/sim-$$(basename $$f .c).o || exit 1; done
	$(Q)$(HOSTCC) -no-pie $(lua_ldflags_hgc) $(filter-out $(if $(is_header),$(sim_lua_core:%=$(SL)/lua/%.o) \
	    $(patsubst %.c,$(SL)/%.o,$(sim_lua_own:%=ports/lua/%.c) $(sim_lua_tests)),$(SL)/$(FILE:.c=.o)),\
	    $(call obj,$(SL),$(src_sim) $(sim_lua_own:%=ports/lua/%.c) $(sim_lua_tests)) $(sim_lua_core:%=$(SL)/lua/%.o)) \
	    $(OUT)/sim-*.o -lm -o $(OUT)/sim-lua
