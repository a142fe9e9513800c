//! The named scenarios: a table.

/// Faults that follow one another at random; several lanes run side by side.
#[derive(Debug, Clone, Copy)]
pub struct Lane {
    /// With their weights.
    pub recipes: &'static [(u32, Recipe)],
    /// Seconds without a fault between two.
    pub gap: (u64, u64),
    /// Seconds that a fault lasts.
    pub hold: (u64, u64),
}

/// What a lane makes steps of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the fault of its name")]
pub enum Recipe {
    KillLeader,
    KillMaster,
    TerminateMaster,
    PauseLeader,
    PauseMaster,
    LoseMaster,
    KillAgent,
    TerminateAgent,
    PauseAgent,
    KillSupervisor,
    TerminateSupervisor,
    PauseSupervisor,
    KillGuard,
    TerminateGuard,
    PauseGuard,
    KillContainer,
    TerminateContainer,
    PauseContainer,
    LoseNode,
    /// A node is away for longer than its promise holds, and leaders, supervisors and guards are hit about then.
    HoldNode,
    UnplugNode,
    /// The leader is alone: no other host hears it.
    IsolateLeader,
    /// Some masters against the others, nodes on both sides.
    SplitHosts,
    OneWay,
    FlapMaster,
    NodesWithoutMasters,
    /// A node that hears and is heard now and then.
    FlapNode,
    /// A node whose words arrive, and who hears no answer.
    OneWayNode,
    Loss,
    Duplicate,
    Delay,
    SlowLink,
    SlowDisk,
    FullDisk,
    ReadOnlyDisk,
    HungDisk,
    FailedDisk,
    /// One master loses its power.
    PowerCutOne,
    /// All do, at the same moment.
    PowerCutAll,
    /// One node does.
    PowerCutNode,
    /// Masters and nodes, all at the same moment.
    PowerCutCluster,
    /// A follower that heard nothing for a while decides with one that lost its power.
    PowerCutOutvoted,
    AllMastersKilled,
    StarveMaster,
    StarveAgent,
    /// A node with everything on it.
    StarveHost,
    ClockJump,
    ExpiredMaster,
    ExpiredNode,
    RollingRestart,
    Transfer,
    AddMaster,
    ReplaceMaster,
    AddNode,
}

/// A named mixture.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it asks.
    pub about: &'static str,
    /// Side by side.
    pub lanes: &'static [Lane],
}

use Recipe::*;

const MASTERS: &[(u32, Recipe)] =
    &[(4, KillLeader), (2, KillMaster), (1, TerminateMaster), (2, PauseLeader), (1, PauseMaster), (1, LoseMaster)];
const NODES: &[(u32, Recipe)] = &[
    (3, LoseNode),
    (2, KillAgent),
    (1, TerminateAgent),
    (1, PauseAgent),
    (2, KillSupervisor),
    (1, TerminateSupervisor),
    (1, PauseSupervisor),
    (1, KillGuard),
    (1, TerminateGuard),
    (1, PauseGuard),
    (3, KillContainer),
    (1, TerminateContainer),
    (1, PauseContainer),
    (1, UnplugNode),
];
const LINKS: &[(u32, Recipe)] = &[
    (3, IsolateLeader),
    (3, SplitHosts),
    (2, OneWay),
    (2, FlapMaster),
    (1, NodesWithoutMasters),
    (1, FlapNode),
    (1, OneWayNode),
    (2, Loss),
    (1, Duplicate),
    (2, Delay),
    (1, SlowLink),
];
const DISKS: &[(u32, Recipe)] =
    &[(3, SlowDisk), (2, FullDisk), (2, ReadOnlyDisk), (2, HungDisk), (2, FailedDisk), (3, PowerCutOne)];
const REST: &[(u32, Recipe)] =
    &[(3, StarveMaster), (2, StarveAgent), (2, StarveHost), (2, Transfer), (1, ExpiredMaster), (1, ExpiredNode)];

const POWER: &[(u32, Recipe)] =
    &[(1, PowerCutOne), (2, PowerCutAll), (3, PowerCutOutvoted), (1, PowerCutNode), (2, PowerCutCluster)];
const CLOCKS: &[(u32, Recipe)] = &[(1, ClockJump)];
const MEMBERS: &[(u32, Recipe)] =
    &[(2, AddMaster), (2, ReplaceMaster), (1, AddNode), (1, RollingRestart), (1, Transfer)];

/// All of them.
pub fn scenarios() -> &'static [Scenario] {
    &[
        Scenario {
            name: "leader-kills",
            about: "kill -9 of the leader, again and again",
            lanes: &[Lane { recipes: &[(1, KillLeader)], gap: (6, 9), hold: (3, 5) }],
        },
        Scenario {
            name: "masters",
            about: "masters killed, ended, stopped, lost",
            lanes: &[Lane { recipes: MASTERS, gap: (5, 9), hold: (4, 10) }],
        },
        Scenario {
            name: "node-losses",
            about: "whole nodes gone, and back",
            lanes: &[Lane { recipes: &[(3, LoseNode), (1, UnplugNode)], gap: (14, 20), hold: (26, 38) }],
        },
        Scenario {
            name: "nodes",
            about: "agents, supervisors, containers and whole nodes",
            lanes: &[Lane { recipes: NODES, gap: (6, 12), hold: (8, 34) }],
        },
        Scenario {
            name: "fencing",
            about: "nodes away for longer than their promise holds, so that their identities are given away",
            lanes: &[Lane { recipes: &[(1, HoldNode)], gap: (22, 28), hold: (50, 75) }],
        },
        Scenario {
            name: "network",
            about: "partitions, one-way and flapping ones, loss, duplication, delay, slow links",
            lanes: &[Lane { recipes: LINKS, gap: (6, 10), hold: (6, 16) }],
        },
        Scenario {
            name: "disks",
            about: "slow, full, read-only, hanging and failing disks of masters, some of nodes",
            lanes: &[Lane { recipes: DISKS, gap: (7, 12), hold: (5, 12) }],
        },
        Scenario {
            name: "power",
            about: "power cuts that lose what was not synced: one host, all masters, the right ones, all six hosts at once",
            lanes: &[Lane { recipes: POWER, gap: (9, 14), hold: (3, 7) }],
        },
        Scenario {
            name: "clocks",
            about: "wall clocks that jump, while leaders are killed",
            lanes: &[
                Lane { recipes: CLOCKS, gap: (4, 8), hold: (8, 16) },
                Lane { recipes: &[(1, KillLeader)], gap: (15, 25), hold: (3, 6) },
            ],
        },
        Scenario {
            name: "starved",
            about: "processes without processor time, expired certificates, leadership handed over",
            lanes: &[Lane { recipes: REST, gap: (5, 9), hold: (6, 14) }],
        },
        Scenario {
            name: "members",
            about: "masters and nodes join, leave, are replaced and started again, while leaders are killed",
            lanes: &[
                Lane { recipes: MEMBERS, gap: (6, 10), hold: (8, 16) },
                Lane { recipes: &[(2, KillLeader), (1, PauseLeader)], gap: (24, 40), hold: (1, 3) },
            ],
        },
        Scenario {
            name: "no-masters",
            about: "all masters killed at once: what runs goes on",
            lanes: &[Lane { recipes: &[(1, AllMastersKilled)], gap: (18, 26), hold: (6, 14) }],
        },
        Scenario {
            name: "mixed",
            about: "masters, nodes, links, disks, power, clocks and membership, all at the same time",
            lanes: &[
                Lane { recipes: MASTERS, gap: (10, 22), hold: (4, 9) },
                Lane { recipes: NODES, gap: (12, 26), hold: (10, 30) },
                Lane { recipes: LINKS, gap: (16, 30), hold: (5, 12) },
                Lane { recipes: DISKS, gap: (20, 40), hold: (5, 9) },
                Lane { recipes: REST, gap: (25, 50), hold: (5, 12) },
                Lane { recipes: POWER, gap: (50, 90), hold: (3, 7) },
                Lane { recipes: CLOCKS, gap: (40, 70), hold: (8, 16) },
                Lane { recipes: MEMBERS, gap: (40, 80), hold: (8, 16) },
            ],
        },
        Scenario {
            name: "short",
            about: "a little of everything that a short test has time for",
            lanes: &[
                Lane {
                    recipes: &[(3, KillLeader), (1, PauseLeader), (2, IsolateLeader), (1, PowerCutOutvoted)],
                    gap: (8, 12),
                    hold: (4, 7),
                },
                Lane { recipes: &[(1, LoseNode), (2, KillContainer), (1, KillAgent)], gap: (10, 14), hold: (20, 26) },
            ],
        },
    ]
}

/// One by its name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    scenarios().iter().find(|scenario| scenario.name == name)
}
