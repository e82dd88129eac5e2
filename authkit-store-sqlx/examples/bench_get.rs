use std::{sync::Arc, time::Instant, str::FromStr};
use authkit_core::*;
use authkit_store_sqlx::SqlxStore;
use sqlx::{sqlite::*, Row as _};

fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(") ").next().unwrap().split(' ').collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn id(n: u64) -> Id { let mut b=[1;16]; *b.last_chunk_mut().unwrap()=n.to_be_bytes(); Id::from_bytes(b) }

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/b.db", dir.path().display());
    let store = SqlxStore::connect(&url).await.unwrap();
    let p = Arc::new(EntityDef::new("b_principals", Reach::Tenant, Durability::Durable, vec![
        ColumnDef::new::<Id>("id"), ColumnDef::new::<String>("kind"), ColumnDef::new::<String>("status"),
        ColumnDef::new::<i64>("epoch"), ColumnDef::new::<Timestamp>("sessions_from")]));
    let s = Arc::new(EntityDef::new("b_sessions", Reach::Tenant, Durability::Durable, vec![
        ColumnDef::new::<Id>("id"), ColumnDef::new::<Id>("principal_id"), ColumnDef::new::<Vec<u8>>("secret"),
        ColumnDef::new::<Timestamp>("created_at"), ColumnDef::new::<Timestamp>("seen_at").volatile(), ColumnDef::new::<Timestamp>("expires_at"), ColumnDef::new::<Option<String>>("agent")])
        .index("by_principal", &[1,3], Uniqueness::Shared).reference(1, "b_principals").expiry(5));
    let steps = vec![Migration::new("b",1,Step::Create((*p).clone())), Migration::new("b",2,Step::Create((*s).clone()))];
    store.migrate(&steps, &[p.clone(), s.clone()]).await.unwrap();
    let scope = Scope::Tenant(TenantId::DEFAULT);
    let now = Timestamp::from_millis(1_800_000_000_000);
    let n = 20000u64;
    for base in 0..(n/500) {
        let mut ops = vec![];
        for i in base*500..base*500+500 {
            ops.push(Op::Insert{def:p.clone(), values: vec![Value::Id(id(i)), Value::Text("human".into()), Value::Text("active".into()), Value::Int(1), Value::Time(now)]});
            ops.push(Op::Insert{def:s.clone(), values: vec![Value::Id(id(i)), Value::Id(id(i)), Value::Bytes(vec![7;32]), Value::Time(now), Value::Time(now), Value::Time(Timestamp::from_millis(now.millis()+1000000)), Value::Text("Mozilla/5.0 (X11; Linux)".into())]});
        }
        store.commit(&scope, &ops, now).await.unwrap();
    }
    let shape = Arc::new(Shape{def:s.clone(), columns: vec![1,2,3,4,5], join: Some(Join{via:1, def:p.clone(), columns: vec![2,3,4]})});
    let opts = SqliteConnectOptions::from_str(&url).unwrap().pragma("query_only","ON");
    let pool = SqlitePoolOptions::new().max_connections(4).test_before_acquire(false).idle_timeout(None).max_lifetime(None).connect_with(opts).await.unwrap();
    let sql = "SELECT s.version, s.principal_id, s.secret, s.created_at, s.seen_at, s.expires_at, p.status, p.epoch, p.sessions_from FROM b_sessions s JOIN b_principals p ON p.id = s.principal_id AND p.tenant_id = s.tenant_id WHERE s.tenant_id = ? AND s.id = ? AND s.expires_at > ?";
    let mut one = { use sqlx::ConnectOptions as _; SqliteConnectOptions::from_str(&url).unwrap().pragma("query_only","ON").connect().await.unwrap() };
    let tenant = TenantId::DEFAULT.to_string();
    let rounds = 20000u64;
    let mut gs = vec![]; let mut hs = vec![];
    for round in 0..7 {
        let (t, c) = (Instant::now(), cpu());
        for i in 0..rounds {
            let get = Get{shape: shape.clone(), at: Lookup{index:0, key: vec![Value::Id(id((i*7919)%n))]}, now};
            let row = store.get(&scope,&get).await.unwrap().unwrap();
            assert!(row.joined.is_some());
            std::hint::black_box(row);
        }
        let g = (t.elapsed().as_secs_f64()*1e6/rounds as f64, (cpu()-c)*1e6/rounds as f64);
        let (t, c) = (Instant::now(), cpu());
        for i in 0..rounds {
            let key = id((i*7919)%n).to_string();
            let r = sqlx::query(sql).bind(&tenant).bind(&key).bind(now.millis()).fetch_optional(&pool).await.unwrap().unwrap();
            let row: (i64, Id, Vec<u8>, i64, i64, i64, String, i64, i64) = (r.get(0), r.get::<&str,_>(1).parse().unwrap(), r.get(2), r.get(3), r.get(4), r.get(5), r.get(6), r.get(7), r.get(8));
            std::hint::black_box(row);
        }
        let h = (t.elapsed().as_secs_f64()*1e6/rounds as f64, (cpu()-c)*1e6/rounds as f64);
        let (t, c) = (Instant::now(), cpu());
        for i in 0..rounds {
            let key = id((i*7919)%n).to_string();
            let r = sqlx::query(sql).bind(&tenant).bind(&key).bind(now.millis()).fetch_optional(&mut one).await.unwrap().unwrap();
            let row: (i64, Id, Vec<u8>, i64, i64, i64, String, i64, i64) = (r.get(0), r.get::<&str,_>(1).parse().unwrap(), r.get(2), r.get(3), r.get(4), r.get(5), r.get(6), r.get(7), r.get(8));
            std::hint::black_box(row);
        }
        let o = (t.elapsed().as_secs_f64()*1e6/rounds as f64, (cpu()-c)*1e6/rounds as f64);
        println!("one connection by hand {:.1}us wall {:.1}us cpu ratio {:.2}", o.0, o.1, g.1/o.1);
        println!("round {round}: store {:.1}us wall {:.1}us cpu | hand {:.1}us wall {:.1}us cpu | ratio {:.2} wall {:.2} cpu", g.0,g.1,h.0,h.1,g.0/h.0,g.1/h.1);
        gs.push(g.1); hs.push(h.1);
    }
    gs.sort_by(f64::total_cmp); hs.sort_by(f64::total_cmp);
    println!("median cpu ratio {:.3}", gs[3]/hs[3]);
    let t = Instant::now();
    for i in 0..300u64 { store.commit(&scope, &[Op::Update{def:s.clone(), at: Lookup{index:0,key:vec![Value::Id(id(i))]}, guards: vec![], version: None, set: vec![Set::To(4, Value::Time(now))]}], now).await.unwrap(); }
    println!("single update {:.0}us", t.elapsed().as_secs_f64()*1e6/300.0);
    let t = Instant::now();
    for i in 0..300u64 { store.commit(&scope, &[
        Op::Update{def:s.clone(), at: Lookup{index:0,key:vec![Value::Id(id(i))]}, guards: vec![], version: None, set: vec![Set::To(4, Value::Time(now))]},
        Op::Update{def:p.clone(), at: Lookup{index:0,key:vec![Value::Id(id(i))]}, guards: vec![], version: None, set: vec![Set::Add(3, 1)]},
        Op::Ensure{def:p.clone(), at: Lookup{index:0,key:vec![Value::Id(id(i))]}, guards: vec![]}], now).await.unwrap(); }
    println!("three ops {:.0}us", t.elapsed().as_secs_f64()*1e6/300.0);
    let page = Query{shape: Arc::new(Shape::whole(&s)), index: 1, prefix: vec![], from: std::ops::Bound::Unbounded, to: std::ops::Bound::Unbounded, filters: vec![], direction: Direction::Ascending, after: None, limit: 50, now};
    let t = Instant::now();
    for _ in 0..2000 { assert_eq!(store.query(&scope,&page).await.unwrap().len(), 50); }
    println!("page of 50 {:.0}us", t.elapsed().as_secs_f64()*1e6/2000.0);
}
