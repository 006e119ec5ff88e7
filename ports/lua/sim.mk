# SPDX-License-Identifier: Apache-2.0
#
# Lua in the simulator: the same core with capacities for Lua's kinds, and a workload of Lua states.  The seed of Lua's hashes is a constant, so that a
# schedule can be replayed, and its jumps are the compiler's: glibc mixes a number into what setjmp keeps that differs from run to run, and lies
# on a task's stack then.  Lua's files have no hooks of the race detector.
SL := $(O)/sim-lua
sim_lua_core := $(filter-out linit loadlib liolib loslib lua lutf8lib ldblib lmathlib lstrlib,$(lua_core))
sim_lua_own := $(filter-out main repl edit hgc,$(lua_own_hgc))
sim_lua_tests := $(wildcard tests/sim/lua/*.c)
sim_lua_cflags = $(filter-out -DHGC_KINDS=% -DHART_GC_SIZE=%,$(sim_cflags)) -DHGC_KINDS=20 -DHART_GC_SIZE=12288 -DSIM_LUA -DSIM_STEPS_MAX=80000000 \
    -Iports/lua $(call lua_include,hgc) '-Dluai_makeseed(L)=1u' \
    '-Dluai_jmpbuf=__typeof__(void *[5])' '-DLUAI_THROW(L,c)=__builtin_longjmp((c)->b,1)' \
    '-DLUAI_TRY(L,c,a)=if(__builtin_setjmp((c)->b)==0){a}'
$(SL)/flags: $(S)/flags FORCE
	$(call flags_file,$(HOSTCC) $(sim_lua_cflags) $(sim_hooked))
$(SL)/%.o: %.c $(SL)/flags | $(L)/hgc/links
	$(call say,CC,"$< (sim, lua)")
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(sim_lua_cflags) $(if $(filter $(sim_unhooked) ports/% tests/sim/lua/%,$<),,$(sim_hooked)) -c $< -o $@
$(sim_lua_core:%=$(SL)/lua/%.o): $(SL)/lua/%.o: $(L)/hgc/links $(SL)/flags
	$(call say,CC,"$*.c (sim, lua)")
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(filter-out $(warn),$(sim_lua_cflags)) -c $(L)/hgc/$*.c -o $@
$(SL)/sim: $(call obj,$(SL),$(src_sim) $(sim_lua_own:%=ports/lua/%.c) $(sim_lua_tests)) $(sim_lua_core:%=$(SL)/lua/%.o)
	$(call say,LD,$@)
	$(Q)$(HOSTCC) -no-pie -Wl,-z,now $(lua_ldflags_hgc) $^ -lm -o $@
ifneq ($(building),)
-include $(wildcard $(SL)/*/*.d $(SL)/*/*/*.d $(SL)/*/*/*/*.d)
endif
